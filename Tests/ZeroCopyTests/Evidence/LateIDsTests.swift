import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// After a reset the ids of what was still queued come first, and those of what waits in a queueing discipline late
/// (rules 7 and 25): they are held until the last of these is in, and not a moment longer.
@Suite(
  "Late ids hold those that came before them",
  .enabled(if: mayMakeNetworks, "needs root, for a network of its own"))
struct LateIDsTests {
  @Test("After a reset behind a slow queue, every buffer is back with the last late id")
  func reset() throws {
    try onOwnThread {
      try enterNewNetwork(SlowClass.script)
      let pool = try BufferPool(bufferSize: 64 << 10, count: 16, pages: .standard)
      var pair = try sending(from: pool)
      pair.server.resetOnClose()
      let peer = pair.serve { _ in }
      try peer.value()
      var hasHeld = false
      var waits = 0
      // Nothing unread and nothing in flight is the last id: with the same call everything is back.
      while pool.statistics.free < 16, waits < 6_000 {
        try pair.client.reap()
        hasHeld = hasHeld || pair.client.statistics.held > 0
        let isOver = pair.client.optionMemory == 0
        try pair.client.reap()
        if isOver { #expect(pool.statistics.free == 16) }
        pool.scribbleOverAllFree()
        usleep(5_000)
        waits += 1
      }
      #expect(hasHeld && waits > 10, "the queue was slow")
      #expect(pool.statistics.quarantined == 0)
      #expect(pair.client.statistics.settled == 0)
    }
  }

  @Test(
    "Who waits for them is told of what is held, a second socket waits no longer, and close brings all back")
  func told() throws {
    try onOwnThread {
      try enterNewNetwork(SlowClass.script)
      let pool = try BufferPool(bufferSize: 64 << 10, count: 16, pages: .standard)
      var pair = try sending(from: pool)
      pair.server.resetOnClose()
      try pair.serve { _ in }.value()
      while pair.client.statistics.held == 0 { try pair.client.reap() }
      let late = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .milliseconds(20)) }
      #expect(late?.code == .timedOut)
      #expect(late?.message.contains("held behind send") == true)
      let own = error { () throws(ZeroCopyError) in
        var taken: [BufferBox] = []
        while true { taken.append(BufferBox(try pair.client.buffer(from: pool, timeout: .milliseconds(20)))) }
      }
      #expect(own?.message.contains("held behind send") == true)
      var other = try ZeroCopySocket.connect(to: "udp:127.0.0.1:9")
      let waited = error { () throws(ZeroCopyError) in
        _ = try other.buffer(from: pool, timeout: .milliseconds(50))
      }
      #expect(waited?.code == .timedOut)
      pair.client.abort()
      #expect(pool.scribbleOverAllFree() == 16)
    }
  }

  /// A stream of which a part waits in the queue, and more behind it; nothing is free.
  private func sending(from pool: BufferPool) throws -> Connected {
    var pair = try Connected(client: Configuration(mode: .zeroCopy))
    pair.client.setOption(SOL_SOCKET, Option.sendBufferForce, 8 << 20)
    pair.client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.slow)
    while pool.statistics.free > 0 {
      try #require(try pair.client.trySend(pool.filled()).isNone)
    }
    return pair
  }
}

/// A buffer in an array.
private final class BufferBox {
  private let buffer: SendBuffer
  init(_ buffer: consuming SendBuffer) { self.buffer = buffer }
}
