import CZeroCopy
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// Datagrams that pass for vsock: real ids and notifications, several a send, also where there is no vsock.
@Suite("Sends that take several ids each")
struct VsockLikenessTests {
  private let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))

  private func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: memory[range])
  }

  @Test(
    "A pool streams through them, every byte is right and flush exact, whatever becomes of notifications",
    arguments: [0, 6])
  func streaming(_ held: Int) throws {
    let pool = try BufferPool(bufferSize: 20_000, count: 8, pages: .standard)
    var pair = try Datagrams("127.0.0.1", client: Configuration(mode: .zeroCopy), passesForVsock: true)
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications { $0.held = held }
    for send in 0..<TestScale.scaled(2_000) {
      var buffer = try pair.client.buffer(from: pool, timeout: .seconds(60))
      let byteCount = 1 + send * 7919 % pool.bufferSize
      buffer.append(byteCount, of: Pattern(), from: send)
      try pair.client.send(buffer)
      try expectBytes(byteCount, from: send, at: &pair.server)
      // What is held back, or not yet read, is in flight.
      if pair.client.statistics.inFlight == 0, byteCount > 128 {
        #expect(czc_option_memory(pair.client.fileDescriptor.rawValue) == 0)
      }
    }
    faults.calm()
    _ = try pair.client.flush(timeout: .seconds(60))
    let statistics = pair.client.statistics
    #expect(statistics.completed == statistics.zeroCopySends && statistics.inFlight == 0)
    #expect(faults.counts.reportedIDs > statistics.zeroCopySends)
    #expect(statistics.settled == 0 && statistics.unknownNotifications == 0)
    #expect(pool.statistics.free == 8 && pool.statistics.quarantined == 0)
  }

  @Test("trySend sends as many packets as there is room for, and not only one")
  func packetsAtOnce() throws {
    let pool = try BufferPool(bufferSize: 150_000, count: 1, pages: .standard)
    var pair = try Datagrams("127.0.0.1", client: Configuration(mode: .zeroCopy), passesForVsock: true)
    let isTaken = try pair.client.trySend(pool.filled(150_000)).isNone
    #expect(isTaken)
    #expect(pair.client.statistics.bytes == 150_000)
    #expect(try pair.client.flush(timeout: .seconds(60)).remaining == 0)
    #expect(pool.statistics.free == 1)
  }

  @Test(
    "Sends go on where ids are lost, or named that nobody has issued (rule 12)", arguments: [false, true])
  func lost(_ areLost: Bool) throws {
    var pair = try Datagrams("127.0.0.1", client: Configuration(mode: .zeroCopy), passesForVsock: true)
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications {
      $0.truncated = areLost ? 0.2 : 0
      $0.unknown = areLost ? 0 : 0.2
    }
    for send in 0..<TestScale.scaled(500) {
      try pair.client.writeAll(bytes(0..<1_000 + send), mode: .zeroCopy)
      _ = try read(1_000 + send, at: &pair.server)
      if send % 5 == 4 { #expect(try pair.client.flush(timeout: .seconds(60)).remaining == 0) }
    }
    faults.calm()
    _ = try pair.client.flush(timeout: .seconds(60))
    let statistics = pair.client.statistics
    #expect(statistics.completed == statistics.zeroCopySends && statistics.bytesInFlight == 0)
    #expect(statistics.settled > 0)
    // From here on its ids can be trusted again.
    try pair.client.writeAll(bytes(0..<1_000), mode: .zeroCopy)
    #expect(try pair.client.flush(timeout: .seconds(60)).completed == 1)
  }

  @Test("What finds no memory is copied in automatic mode, and an error else (rule 5: ENOMEM)")
  func noMemory() throws {
    var pair = try Datagrams("127.0.0.1", passesForVsock: true)
    let faults = try Faults(on: pair.client.fileDescriptor)
    try pair.client.writeAll(bytes(0..<1_000), mode: .zeroCopy)
    try pair.client.flush(timeout: .seconds(60))
    faults.failSends(with: .noMemory)
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAll(bytes(0..<1_000), mode: .zeroCopy)
    }
    #expect(failure?.isSocketUsable == true && failure?.errno != nil)
    #expect(pair.client.statistics.inFlight == 0)
    try pair.client.writeAll(bytes(0..<1_000), mode: .zeroCopy)
    #expect(try pair.client.flush(timeout: .seconds(60)).completed == 1)
  }

  @Test("Pieces: small ones are copied, the others go in packets, and each byte once", arguments: [1, 3, 8])
  func pieces(_ sizes: Int) throws {
    let budget = SendBudget(maximumBytes: 100_000)
    for configuration in [Configuration(), Configuration(budget: budget)] {
      var pair = try Datagrams("127.0.0.1", client: configuration, passesForVsock: true)
      var at = 0
      var pieces: [UnsafeRawBufferPointer] = []
      for index in 0..<40 {
        // An empty one alone would be a datagram here.
        let count = [70_000, 100, 5_000, sizes == 1 ? 1 : 0, 128, 129, 3, 9_000][index * 3 % 8]
        pieces.append(bytes(at..<at + count))
        at += count
        if pieces.count < sizes { continue }
        let total = pieces.reduce(0) { $0 + $1.count }
        try pair.client.writeAll(pieces, mode: .zeroCopy)
        #expect(try areEqual(read(total, at: &pair.server), Array(bytes(at - total..<at))))
        pieces = []
      }
      #expect(try pair.client.flush(timeout: .seconds(60)).remaining == 0)
      // Small ones go with what follows them.
      #expect(sizes > 1 || pair.client.statistics.zeroCopyBytes < pair.client.statistics.bytes)
    }
    #expect(budget.usedBytes == 0)
  }

  @Test("Memory that is only lent is copied, or refused: a peer that does not read would keep it")
  func lent() throws {
    var pair = try Datagrams("127.0.0.1", passesForVsock: true)
    let lent = bytes(0..<1_000).bytes
    #expect(
      error { () throws(ZeroCopyError) in
        try pair.client.writeAndFlush(lent, timeout: .seconds(60), mode: .zeroCopy)
      }?.code == .zeroCopyUnavailable)
    #expect(try pair.client.writeAndFlush(lent, timeout: .seconds(60)) == FlushResult())
    #expect(pair.client.statistics.bytes == 1_000 && pair.client.statistics.zeroCopySends == 0)
  }

  private func expectBytes(_ count: Int, from offset: Int, at socket: inout ZeroCopySocket) throws {
    let received = try read(count, at: &socket)
    received.withUnsafeBytes { #expect(Pattern().firstFault(in: $0, at: offset) == nil) }
  }

  /// What a send became, one datagram or several.
  private func read(_ count: Int, at socket: inout ZeroCopySocket) throws -> [UInt8] {
    try socket.read(count: count)
  }
}
