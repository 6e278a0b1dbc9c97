import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("A slow peer")
struct SlowPeerTests {
  @Test(
    "acknowledgementTimeout frees everything that it held, and says that the connection is lost (rule 29)")
  func acknowledgementTimeout() throws {
    let pool = try BufferPool(bufferSize: 100_000, count: 2)
    var pair = try Connected(client: Configuration(acknowledgementTimeout: .milliseconds(300)))
    #expect(pair.client.option(CInt(IPPROTO_TCP), 18) == 300)
    _ = try pair.stall()
    for _ in 0..<2 { try pair.client.send(pool.filled(), mode: .zeroCopy) }
    #expect(pool.statistics.free == 0)
    let failure = error { () throws(ZeroCopyError) in
      _ = try pair.client.buffer(from: pool, timeout: .seconds(60))
      _ = try pair.client.flush(timeout: .seconds(60))
    }
    #expect(failure?.code == .connectionLost)
    #expect(failure?.errno == .timedOut)
    #expect(pool.scribbleOverAllFree() == 2)
    #expect(pool.statistics.quarantined == 0)
  }

  /// Calls that wait for the peer.
  enum Call: String, CaseIterable { case flush, buffer, send, writeAll, writeAndFlush }

  @Test("One that stands still is told as too slow by each call that waits for it", arguments: Call.allCases)
  func standsStill(_ call: Call) throws {
    let pool = try BufferPool(bufferSize: 100_000, count: 2)
    var pair = try Connected(client: Configuration(writeTimeout: .seconds(60), leastRate: 10_000))
    _ = try pair.stall()
    if call == .flush || call == .buffer {
      for _ in 0..<2 { try pair.client.send(pool.filled(), mode: .zeroCopy) }
    } else {
      // Full, and waiting for room.
      pair.client.setOption(SOL_SOCKET, SO_SNDBUF, 4096)
      pair.client.setBlocking(true)
    }
    let memory = UnsafeRawBufferPointer(pinnedBytes(32 << 20))
    var failure: ZeroCopyError?
    if call == .send {
      failure = SendingTests.failure(of: try pool.filled(), on: &pair.client)
    } else {
      failure = error { () throws(ZeroCopyError) in
        switch call {
        case .flush: try pair.client.flush(timeout: .seconds(60))
        case .buffer: _ = try pair.client.buffer(from: pool, timeout: .seconds(60))
        case .writeAll: try pair.client.writeAll(memory, mode: .zeroCopy)
        case .writeAndFlush:
          try pair.client.writeAndFlush(memory.bytes, timeout: .seconds(60), mode: .zeroCopy)
        case .send: break
        }
      }
    }
    #expect(failure?.code == .peerTooSlow)
    #expect(failure?.description.contains("10000 bytes a second") == true)
    // Borrowed memory in flight is called back by giving the connection up; on 6.1 none of it is accepted here.
    let isCalledBack = call == .writeAndFlush && failure?.bytesAccepted ?? 0 > 0
    #expect(failure?.isSocketUsable == !isCalledBack)
    pair.client.abort()
    #expect(pool.scribbleOverAllFree() == 2)
  }

  @Test("One that trickles is told from one that is alive, which no time-out does", arguments: [true, false])
  func trickles(_ trickles: Bool) throws {
    let pool = try BufferPool(bufferSize: 200_000, count: 2)
    var pair = try Connected(client: Configuration(leastRate: 100_000))
    pair.server.setOption(SOL_SOCKET, SO_RCVBUF, 64 << 10)
    let before = try pair.stall()
    try pair.client.send(pool.filled(), mode: .zeroCopy)
    let isOver = Handoff<Bool>()
    isOver.put(false)
    // About 20 KB a second, or 2 MB.
    let peer = pair.serve { socket in
      var received = 0
      do throws(ZeroCopyError) {
        while received < before.count + 200_000 {
          var bytes = [UInt8](repeating: 0, count: trickles ? 1000 : 100_000)
          var span = bytes.mutableSpan
          let count = try socket.read(into: &span)
          if count == 0 { break }
          received += count
          czc_pause(50_000_000)
        }
      } catch {
        guard error.code == .connectionLost else { throw error }
      }
      return received
    }
    let failure = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(60)) }
    #expect(failure?.code == (trickles ? .peerTooSlow : nil))
    pair.client.abort()
    let received = try peer.value()
    if !trickles { #expect(received == before.count + 200_000) }
    #expect(pool.scribbleOverAllFree() == 2)
  }

  @Test(
    "One stalled peer does not starve another socket of buffers, where its bytes or its sends are capped",
    arguments: [
      (SendBudget(maximumBytes: 1 << 20, maximumBytesPerSocket: 300_000), 50_000),
      (SendBudget(maximumBytes: .max, maximumSendsPerSocket: 5), 100),
    ])
  func share(_ budget: SendBudget, _ size: Int) throws {
    let pool = try BufferPool(bufferSize: 50_000, count: 10)
    var stalled = try Connected(client: Configuration(budget: budget))
    _ = try stalled.stall()
    var pending: SendBuffer?
    while pending.isNone { pending = try stalled.client.trySend(pool.filled(size), mode: .zeroCopy) }
    _ = pending.take()
    // A share of 300,000 bytes is five of them; where little is in them only the sends are a bound.
    #expect(pool.statistics.free == 5)
    var live = try Connected(client: Configuration(budget: budget))
    let peer = live.serve { socket in try socket.readPattern() }
    for round in 0..<100 {
      let buffer = try live.client.filled(from: pool, 50_000, at: round * 50_000)
      try live.client.send(buffer, mode: .zeroCopy)
    }
    try live.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 5_000_000)
    #expect(wrongAt == nil)
    #expect(stalled.client.statistics.inFlight == 5)
  }
}
