import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("vsock: nothing is released early, although one send takes several ids (rule 5)", .vsockZeroCopy)
struct VsockExactnessTests {
  @Test(
    "Blocking sends of all sizes to a reader that lags, from memory that is scribbled over when it is free",
    arguments: [(WriteMode.zeroCopy, 2_000), (.automatic, 500)])
  func scribbled(_ mode: WriteMode, _ sends: Int) throws {
    var random = SeededGenerator(seed: 5)
    var pair = try Connected.onVsock()
    let peer = pair.serve { try $0.readPattern(isSlow: true) }
    var sender = ScribblingSender(slots: 6, byteCount: 4 << 20)
    // All of them on a slow machine too: this is what shows that nothing is released early.
    for send in 0..<sends {
      let isLarge = send % 50 == 49
      let byteCount = isLarge ? 4 << 20 : Int(exp2(Double.random(in: 0...18, using: &random)))
      try sender.send(
        byteCount, pieces: Int.random(in: 1...3, using: &random), mode: mode, on: &pair.client)
    }
    try pair.client.finishWriting()
    let result = try pair.client.flush(timeout: .seconds(60))
    #expect(result.completed == pair.client.statistics.zeroCopySends && result.remaining == 0)
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == sender.sent)
    #expect(wrongAt == nil)
    #expect(pair.client.statistics.settled == 0 && pair.client.statistics.unknownNotifications == 0)
  }

  @Test("What the peer has read comes back while what it has not read is in flight")
  func steady() throws {
    let pool = try BufferPool(bufferSize: 4 << 10, count: 8, pages: .standard)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy))
    // Nothing waits for room: the peer tells its credit anew when it has read three quarters of it, 192 KiB.
    for number in 0..<8 { try pair.client.send(pool.filled(from: number * pool.bufferSize)) }
    for round in 0..<TestScale.scaled(100) {
      let oldest = pair.client.nextSend - 8
      #expect(try pair.server.read(count: 4 * pool.bufferSize).count == 4 * pool.bufferSize)
      try pair.client.waitForRelease(before: oldest + 4, timeout: .seconds(60))
      #expect(pair.client.statistics.inFlight == 4)
      #expect(pool.statistics.free == 4)
      for number in 0..<4 {
        try pair.client.send(pool.filled(from: (8 + 4 * round + number) * pool.bufferSize))
      }
    }
    _ = try pair.server.read(count: 8 * pool.bufferSize)
    #expect(try pair.client.flush(timeout: .seconds(60)).remaining == 0)
  }

  @Test("A pool of 8 streams on and on, and every byte is right")
  func streaming() throws {
    // All of it is less than the peer's credit, so that it is the pool which ends and not the room.
    let pool = try BufferPool(bufferSize: 16 << 10, count: 8, pages: .standard)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy))
    let peer = pair.serve { try $0.readPattern(isSlow: true) }
    let total = TestScale.scaled(4_096) * pool.bufferSize
    for start in stride(from: 0, to: total, by: pool.bufferSize) {
      var buffer = try pair.client.buffer(from: pool, timeout: .seconds(60))
      buffer.scribble()
      buffer.append(pool.bufferSize, of: Pattern(), from: start)
      try pair.client.send(buffer)
    }
    let result = try pair.client.flush(timeout: .seconds(60))
    #expect(result.completed == pair.client.statistics.zeroCopySends && result.remaining == 0)
    #expect(pool.statistics.free == 8 && pool.statistics.quarantined == 0)
    #expect(pair.client.statistics.settled == 0 && pair.client.statistics.bytesInFlight == 0)
    try pair.client.finishWriting()
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == total && wrongAt == nil)
  }

  @Test("Without waiting, and with a budget that cuts sends smaller")
  func trySend() throws {
    let pool = try BufferPool(bufferSize: 200_000, count: 4, pages: .standard)
    let budget = SendBudget(maximumBytes: 128 << 10)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy, budget: budget))
    let peer = pair.serve { try $0.readPattern() }
    let total = TestScale.scaled(500) * pool.bufferSize
    for start in stride(from: 0, to: total, by: pool.bufferSize) {
      var buffer = try pair.client.buffer(from: pool, timeout: .seconds(60))
      buffer.scribble()
      buffer.append(pool.bufferSize, of: Pattern(), from: start)
      var pending: SendBuffer? = buffer
      while let unsent = pending.take() {
        pending = try pair.client.trySend(unsent)
        if !pending.isNone {
          _ = try? pair.client.waitForRelease(before: pair.client.nextSend, timeout: .seconds(1))
        }
      }
    }
    #expect(try pair.client.flush(timeout: .seconds(60)).remaining == 0)
    #expect(budget.usedBytes == 0)
    try pair.client.finishWriting()
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == total && wrongAt == nil)
  }
}
