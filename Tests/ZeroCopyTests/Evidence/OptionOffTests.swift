import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// SO_ZEROCOPY off and on, by whoever holds the descriptor: a send meanwhile takes no id, and ours are ahead of the
/// kernel's from then on (rule 32).
@Suite("An option that is off for a moment")
struct OptionOffTests {
  @Test(
    "Datagrams that overtake each other bring none back early",
    .enabled(if: mayMakeNetworks, "needs root, for a network of its own"), arguments: [false, true])
  func datagrams(_ isOffOnce: Bool) throws {
    try onOwnThread {
      try enterNewNetwork(SlowClass.script)
      let pool = try BufferPool(bufferSize: 20_000, count: 4, pages: .standard)
      var pair = try Datagrams("127.0.0.1", client: Configuration(mode: .zeroCopy))
      pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.fast)
      try pair.client.send(pool.filled())
      try pair.client.flush(timeout: .seconds(5))
      // Uses up what the slow class may send at once.
      pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.slow)
      try pair.client.send(pool.filled(from: 1), mode: .copy)
      pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.fast)
      if isOffOnce { pair.client.setOption(SOL_SOCKET, Option.zeroCopy, 0) }
      try pair.client.send(pool.filled(from: 2))
      if isOffOnce { pair.client.setOption(SOL_SOCKET, Option.zeroCopy, 1) }
      pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.slow)
      try pair.client.send(pool.filled(from: 3))
      pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.fast)
      try pair.client.send(pool.filled(from: 4))
      // The last one is out long before the one in front of it.
      for _ in 0..<5 {
        usleep(3_000)
        try pair.client.reap()
        pool.scribbleOverAllFree()
      }
      #expect(try pair.client.flush(timeout: .seconds(20)).remaining == 0)
      #expect(pool.scribbleOverAllFree() == 4)
      var starts: Set<Int> = []
      for _ in 0..<5 {
        let bytes = try datagram(&pair.server)
        #expect(bytes.count == 20_000)
        let start = bytes.withUnsafeBytes { bytes in
          (0..<5).first { Pattern().firstFault(in: bytes, at: $0) == nil }
        }
        if let start { starts.insert(start) }
      }
      #expect(starts.count == 5, "bytes of somebody else's were sent")
      // A send that took no id is missing one for good, and the socket does not know why.
      #expect(pair.client.availability == (isOffOnce ? .unavailable(.neverNotified) : .available))
    }
  }

  @Test("A stream whose last send is never notified is flushed, and copies from then on")
  func stream() throws {
    let hears = Reasons()
    let pool = try BufferPool(bufferSize: 30_000, count: 4, pages: .standard)
    var pair = try Connected(client: Configuration(mode: .zeroCopy, observer: hears))
    let stalled = try pair.stall()
    for index in 0..<4 {
      if index == 1 { pair.client.setOption(SOL_SOCKET, Option.zeroCopy, 0) }
      #expect(try pair.client.trySend(pool.filled(from: index * 30_000)).isNone)
      pair.client.setOption(SOL_SOCKET, Option.zeroCopy, 1)
      try pair.client.reap()
      pool.scribbleOverAllFree()
    }
    #expect(try pair.server.read(count: stalled.count) == stalled)
    try expectPattern(4 * 30_000, at: &pair.server)
    #expect(try pair.client.flush(timeout: .seconds(20)).completed == 4)
    #expect(pool.statistics.free == 4)
    #expect(hears.all == [.neverNotified])
  }

  @Test("Where it stays off, what was sent meanwhile is settled, and it is said")
  func staysOff() throws {
    let hears = Reasons()
    var pair = try Connected(client: Configuration(observer: hears))
    pair.client.setOption(SOL_SOCKET, Option.zeroCopy, 0)
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    _ = try pair.server.read(count: 10_000)
    #expect(try pair.client.flush(timeout: .seconds(20)).completed == 1)
    #expect(hears.all == [.optionSwitchedOff])
  }

  /// Reads one datagram.
  private func datagram(_ socket: inout ZeroCopySocket) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var span = bytes.mutableSpan
    let count = try socket.read(into: &span)
    return Array(bytes[..<count])
  }
}
