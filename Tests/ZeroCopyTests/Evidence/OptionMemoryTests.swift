import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// What the holder of a descriptor sets on it takes option memory, as notifications do (rule 33): it must neither
/// bring memory back early nor keep it for ever.
@Suite("What others set on a descriptor takes option memory, and releases nothing")
struct OptionMemoryTests {
  /// What another holder does, one after the other.
  private static let steps: [@Sendable (OptionCharge, CInt) -> Bool] = [
    { $0.set(on: $1) }, { $0.change(on: $1) }, { $0.set(on: $1) },
    { $0.shrink(on: $1, by: NotificationBlock.byteCount ?? 832) }, { $0.remove(on: $1) },
  ]

  @Test(
    "On TCP, with sends in flight, no buffer comes back before its own notification",
    arguments: OptionCharge.allCases)
  func streamInFlight(_ charge: OptionCharge) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 4, pages: .standard)
    // There before zero copy began, and there with the sends in flight.
    for isSetBefore in [true, false] {
      var pair = try Connected(.ipv6, client: Configuration(mode: .zeroCopy))
      let number = pair.client.fileDescriptor.rawValue
      if isSetBefore { _ = charge.set(on: number) }
      let stalled = try pair.stall()
      for index in 0..<4 {
        #expect(try pair.client.trySend(pool.filled(from: index * 30_000), mode: .zeroCopy).isNone)
      }
      for step in Self.steps {
        _ = step(charge, number)
        // Two looks, apart from each other.
        for _ in 0..<2 {
          #expect(try pair.client.reap() == 0)
          usleep(3_000)
        }
        #expect(pool.scribbleOverAllFree() == 0)
      }
      _ = charge.set(on: number)
      #expect(try pair.server.read(count: stalled.count) == stalled)
      try expectPattern(4 * 30_000, at: &pair.server)
      #expect(try pair.client.flush(timeout: .seconds(20)).completed == 4)
      try expectGoesOn(&pair, pool)
    }
  }

  @Test("On TCP it may be there when the descriptor is adopted", arguments: OptionCharge.allCases)
  func streamAdopted(_ charge: OptionCharge) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 4, pages: .standard)
    var pair = try Connected(.ipv6)
    let descriptor = try pair.client.relinquish()
    _ = charge.change(on: descriptor.rawValue)
    pair.client = try ZeroCopySocket(adopting: descriptor, configuration: Configuration(mode: .zeroCopy))
    // Less than a notification takes is none.
    let isLess = pair.client.optionMemory < 512
    #expect(pair.client.availability == (isLess ? .available : .unavailable(.earlierSends)))
    _ = charge.remove(on: descriptor.rawValue)
    try expectGoesOn(&pair, pool)
  }

  @Test(
    "On UDP, with datagrams in flight, every byte is right and the pool lives",
    .enabled(if: mayMakeNetworks, "needs root, for a network of its own"),
    arguments: OptionCharge.allCases.filter { $0.applies(to: .ipv4, isStream: false) }, [true, false])
  func datagramsInFlight(_ charge: OptionCharge, _ isSetBefore: Bool) throws {
    try onOwnThread {
      try enterNewNetwork(SlowClass.script)
      let pool = try BufferPool(bufferSize: 20_000, count: 4, pages: .standard)
      var pair = try Datagrams("127.0.0.1", client: Configuration(mode: .zeroCopy))
      let number = pair.client.fileDescriptor.rawValue
      if isSetBefore { _ = charge.set(on: number) }
      pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.fast)
      // The first goes alone, and says where the counter stands; the second uses up what may go at once.
      try pair.client.send(pool.filled(1), mode: .copy)
      if pair.client.availability.isAvailable { try pair.client.send(pool.filled(1)) } else { return }
      _ = try? pair.client.flush(timeout: .seconds(5))
      pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.slow)
      try pair.client.send(pool.filled(20_000), mode: .copy)
      var sent = 20_000
      for step in Self.steps {
        if let buffer = pool.take() {
          var buffer = buffer
          buffer.append(20_000, of: Pattern(), from: sent)
          try pair.client.send(buffer, mode: .automatic)
          sent += 20_000
        }
        _ = step(charge, number)
        for _ in 0..<2 {
          try pair.client.reap()
          usleep(3_000)
        }
        pool.scribbleOverAllFree()
      }
      _ = charge.remove(on: number)
      #expect(try pair.client.flush(timeout: .seconds(20)).remaining == 0)
      #expect(pool.scribbleOverAllFree() == 4)
      for _ in 0..<2 { try pair.server.expectDatagram(UnsafeRawBufferPointer(pattern(1, from: 0))) }
      for offset in stride(from: 0, to: sent, by: 20_000) {
        try pair.server.expectDatagram(UnsafeRawBufferPointer(pattern(20_000, from: offset)))
      }
    }
  }

  @Test("A member of a multicast group can be adopted, and sends datagrams without copying")
  func memberAdopted() throws {
    var socket = try ZeroCopySocket.connect(to: "udp:127.0.0.1:9")
    let descriptor = try socket.relinquish()
    #expect(OptionCharge.ipv4Groups.change(on: descriptor.rawValue))
    let adopted = try ZeroCopySocket(adopting: descriptor)
    #expect(adopted.optionMemory > 0)
    #expect(adopted.availability == .available)
  }

  /// Another few buffers, at rest with whatever is set, are confirmed by their own ids.
  private func expectGoesOn(_ pair: inout Connected, _ pool: BufferPool) throws {
    pair.client.setBlocking(true)
    let before = pair.client.statistics
    for index in 0..<8 {
      try pair.client.send(pair.client.filled(from: pool, 30_000, at: index * 30_000), mode: .automatic)
      try expectPattern(30_000, from: index * 30_000, at: &pair.server)
    }
    #expect(try pair.client.flush(timeout: .seconds(20)).remaining == 0)
    #expect(pool.statistics.free == 4 && pool.statistics.quarantined == 0)
    let after = pair.client.statistics
    #expect(after.settled == before.settled && after.unknownNotifications == 0)
    #expect(pair.client.availability == .available)
    #expect(after.held == 0 && after.heldBehind == nil)
  }
}

/// A loopback on which what a socket sends may wait for long, or pass by what waits.
enum SlowClass {
  static let slow: CInt = 0x1_0001
  static let fast: CInt = 0x1_0002

  static let script = """
    ip link set lo up && ip link set lo txqueuelen 1000
    tc qdisc add dev lo root handle 1: htb default 2
    tc class add dev lo parent 1: classid 1:1 htb rate 1mbit burst 2k
    tc class add dev lo parent 1: classid 1:2 htb rate 10gbit burst 1m
    """
}

/// The stream's bytes from an offset on, as memory.
func pattern(_ count: Int, from offset: Int) -> UnsafeMutableRawBufferPointer {
  let memory = pinnedBytes(count)
  Pattern().fill(UnsafeMutableRawBufferPointer(mutating: UnsafeRawBufferPointer(memory)), from: offset)
  return UnsafeMutableRawBufferPointer(mutating: UnsafeRawBufferPointer(memory))
}

/// Reads so many bytes, which have to be the pattern's.
func expectPattern(_ count: Int, from offset: Int = 0, at socket: inout ZeroCopySocket) throws {
  let bytes = try socket.read(count: count)
  #expect(bytes.count == count)
  #expect(bytes.withUnsafeBytes { Pattern().firstFault(in: $0, at: offset) } == nil, "released early")
}
