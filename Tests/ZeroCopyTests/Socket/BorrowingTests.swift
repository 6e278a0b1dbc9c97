import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("Borrowed memory")
struct BorrowingTests {
  @Test(
    "writeAndFlush returns when the memory is free: what is written afterwards never arrives",
    arguments: Family.allCases)
  func scribble(_ family: Family) throws {
    var pair = try Connected(family)
    var array = Array(pinnedBytes(3 << 20))
    let expected = array
    let peer = pair.serve { socket in try socket.read(count: 2 * expected.count) }
    for _ in 0..<2 {
      array = expected
      try pair.client.writeAndFlush(
        array.span, timeout: .seconds(20), mode: family == .unix ? .automatic : .zeroCopy)
      #expect(pair.client.statistics.inFlight == 0)
      array.withUnsafeMutableBytes { _ = memset($0.baseAddress!, 0xEE, $0.count) }
    }
    #expect(areEqual(try peer.value(), expected + expected))
  }

  @Test(
    "It works on a non-blocking descriptor, and waits there too",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"),
    arguments: [WriteMode.zeroCopy, .copy])
  func nonblocking(_ mode: WriteMode) throws {
    var pair = try Connected()
    pair.client.setBlocking(false)
    let bytes = Array(pinnedBytes(32 << 20))
    let peer = pair.serve { socket in
      czc_pause(200_000_000)
      return try socket.read(count: 32 << 20)
    }
    let flushed = try pair.client.writeAndFlush(bytes.span, timeout: .seconds(20), mode: mode)
    #expect(flushed.completed == pair.client.statistics.zeroCopySends)
    #expect(areEqual(try peer.value(), bytes))
  }

  @Test(
    "When its time is up it aborts, and comes back only when nothing is in flight",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"))
  func timesOut() throws {
    var pair = try Connected()
    let bytes = Array(pinnedBytes(32 << 20))
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(bytes.span, timeout: .milliseconds(100), mode: .zeroCopy)
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.isSocketUsable == false)
    #expect(failure?.message.contains("connect again") == true && failure?.message.contains("flush") == false)
    #expect(failure?.bytesAccepted == pair.client.statistics.bytes)
    #expect(failure?.flushed?.remaining == 0)
    #expect(failure?.flushed?.completed == pair.client.statistics.zeroCopySends)
    #expect(pair.client.statistics.inFlight == 0)
    #expect(error { () throws(ZeroCopyError) in try pair.server.expectEnd() }?.code == .connectionLost)
    try pair.client.close(timeout: .zero)
  }

  @Test("When its time is up with nothing of its own in flight, the connection and earlier sends stay")
  func timesOutByCopying() throws {
    var pair = try Connected()
    let accepted = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let bytes = [UInt8](repeating: 1, count: 1 << 20)
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(bytes.span, timeout: .milliseconds(50), mode: .copy)
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.isSocketUsable == true)
    let total = accepted + (failure?.bytesAccepted ?? 0)
    #expect(try pair.server.read(count: total).count == total)
    #expect(try pair.client.flush(timeout: .seconds(10)).remaining == 0)
  }

  @Test(
    "A shutdown from elsewhere ends it, with the memory free",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"))
  func shutDown() throws {
    var pair = try Connected()
    let bytes = Array(pinnedBytes(32 << 20))
    let handle = pair.client.shutdownHandle
    let stopper = Background {
      czc_pause(150_000_000)
      handle.shutDown()
    }
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(bytes.span, timeout: .seconds(600), mode: .zeroCopy)
    }
    try stopper.value()
    #expect(failure?.code == .shutDown)
    #expect(pair.client.statistics.inFlight == 0)
  }

  @Test(
    "A reset by the peer ends it, with the memory free",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"))
  func reset() throws {
    var pair = try Connected()
    let bytes = Array(pinnedBytes(32 << 20))
    let peer = pair.serve { socket in
      _ = try socket.read(count: 1 << 20)
      socket.resetOnClose()
    }
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(bytes.span, timeout: .seconds(600), mode: .zeroCopy)
    }
    try peer.value()
    #expect(failure?.code == .connectionLost)
    #expect(pair.client.statistics.inFlight == 0)
  }

  @Test("It flushes what was in flight before, and counts it")
  func flushesEarlier() throws {
    var pair = try Connected()
    let peer = pair.serve { socket in try socket.readToEnd().count }
    let memory = UnsafeRawBufferPointer(pinnedBytes(100_000))
    for _ in 0..<5 { try pair.client.writeAll(memory, mode: .zeroCopy) }
    let flushed = try pair.client.writeAndFlush([1, 2, 3].span, timeout: .seconds(10), mode: .copy)
    #expect(flushed == FlushResult(completed: 5, copied: 5))
    try pair.client.finishWriting()
    #expect(try peer.value() == 500_003)
  }

  @Test("An empty span is sent as nothing")
  func empty() throws {
    var pair = try Connected()
    let none: [UInt8] = []
    #expect(try pair.client.writeAndFlush(none.span, timeout: .seconds(1), mode: .zeroCopy) == FlushResult())
  }
}
