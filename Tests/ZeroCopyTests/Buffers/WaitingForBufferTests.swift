import CZeroCopy
import TestSupport
import Testing
import ZeroCopy

@Suite("Waiting for a buffer")
struct WaitingForBufferTests {
  private func failure(
    _ pool: BufferPool, _ socket: inout ZeroCopySocket, _ timeout: Duration
  ) -> ZeroCopyError? {
    error { () throws(ZeroCopyError) in _ = try socket.buffer(from: pool, timeout: timeout) }
  }

  @Test("Ends when the peer has taken what this socket has sent: backpressure")
  func backpressure() throws {
    let pool = try BufferPool(bufferSize: 100_000, count: 2)
    var pair = try Connected()
    let before = try pair.stall()
    for round in 0..<2 { try pair.client.send(pool.filled(from: round * 100_000), mode: .zeroCopy) }
    #expect(failure(pool, &pair.client, .milliseconds(20))?.code == .timedOut)
    #expect(failure(pool, &pair.client, .zero)?.code == .timedOut)
    let peer = pair.serve { socket in
      czc_pause(50_000_000)
      let first = try socket.read(count: before.count)
      return (first, try socket.readPattern())
    }
    let buffer = try pair.client.buffer(from: pool, timeout: .seconds(10))
    let count = buffer.count
    #expect(count == 0)
    try pair.client.close(timeout: .seconds(10))
    let (first, rest) = try peer.value()
    #expect(first == before)
    #expect(rest.byteCount == 200_000)
    #expect(rest.wrongAt == nil)
  }

  @Test("Does not wait where one is free, whatever the time-out")
  func free() throws {
    let pool = try BufferPool(bufferSize: 1000, count: 1, pages: .standard)
    var pair = try Connected()
    let buffer = try pair.client.buffer(from: pool, timeout: .zero)
    let capacity = buffer.capacity
    #expect(capacity == 1000)
    #expect(pair.client.statistics.reaps == 0)
  }

  @Test("Ends when another thread gives one back, without any traffic")
  func returnedElsewhere() throws {
    let pool = try BufferPool(bufferSize: 1000, count: 1, pages: .standard)
    var pair = try Connected()
    let held = Handoff(try pool.scribbled())
    let other = Background {
      czc_pause(50_000_000)
      _ = held.take()
    }
    let start = czc_now()
    let cpu = czc_thread_cpu()
    _ = try pair.client.buffer(from: pool, timeout: .seconds(600))
    try other.value()
    // A lost ring costs a slice of a second, and a wait that spins the processor.
    #expect((czc_thread_cpu() - cpu) * 2 < czc_now() - start)
  }

  @Test("Ends when the socket is shut down elsewhere, and says so")
  func shutDown() throws {
    let pool = try BufferPool(bufferSize: 1000, count: 1, pages: .standard)
    var pair = try Connected()
    let held = Handoff(try pool.scribbled())
    let handle = pair.client.shutdownHandle
    let other = Background {
      czc_pause(50_000_000)
      handle.shutDown()
    }
    #expect(failure(pool, &pair.client, .seconds(600))?.code == .shutDown)
    try other.value()
    _ = held.take()
    try pair.client.close(timeout: .seconds(1))
    #expect(failure(pool, &pair.client, .seconds(600))?.code == .closed)
  }

  @Test("Sends the rest of a buffer while it waits: that holds one, too")
  func sendsTheRest() throws {
    let pool = try BufferPool(bufferSize: 300_000, count: 1)
    var pair = try Connected(client: Configuration(sendBufferSize: 20_000))
    let peer = pair.serve { socket in try socket.readPattern(isSlow: true) }
    for round in 0..<3 {
      let buffer = try pair.client.filled(from: pool, 300_000, at: round * 300_000)
      switch try pair.client.trySend(buffer, mode: .zeroCopy) {
      case .some: Issue.record("a socket with room has given it back")
      case .none: break
      }
    }
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 900_000)
    #expect(wrongAt == nil)
  }

  @Test("One pool, several sockets and threads: each gets its turn, and no wake-up is lost")
  func manyWaiters() throws {
    let pool = try BufferPool(bufferSize: 2000, count: 3, pages: .standard)
    let rounds = TestScale.scaled(1000)
    let start = czc_now()
    let workers = try (0..<6).map { _ in
      let ends = try Connected().split()
      let reading = Background {
        var socket = ends.server.take()
        return try socket.readPattern()
      }
      let sending = Background {
        var socket = ends.client.take()
        for round in 0..<rounds {
          let buffer = try socket.filled(from: pool, 2000, at: round * 2000, timeout: .seconds(60))
          try socket.send(buffer, mode: .zeroCopy)
          // A socket that holds buffers looks after them: who waits elsewhere cannot.
          try socket.flush(timeout: .seconds(60))
        }
        try socket.close(timeout: .seconds(60))
      }
      return (reading, sending)
    }
    for (reading, sending) in workers {
      try sending.value()
      let (byteCount, wrongAt) = try reading.value()
      #expect(byteCount == rounds * 2000)
      #expect(wrongAt == nil)
    }
    #expect(pool.statistics.free == 3)
    // A lost ring would cost a second each time.
    #expect(czc_now() - start < UInt64(max(rounds, 100)) * 100_000_000)
  }

  @Test("Rings that nobody needed any more do not wake those who wait later")
  func staleRings() throws {
    let pool = try BufferPool(bufferSize: 100, count: 2, pages: .standard)
    // Threads that wait for a buffer all the time, and give back at once what they get.
    let workers = try (0..<4).map { _ in
      let socket = Handoff(try Connected().split().client.take())
      return Background {
        var socket = socket.take()
        for _ in 0..<TestScale.scaled(5000) {
          let buffer = try socket.buffer(from: pool, timeout: .seconds(60))
          czc_pause(0)
          _ = consume buffer
        }
      }
    }
    for worker in workers { try worker.value() }
    let held = [Handoff(try pool.scribbled()), Handoff(try pool.scribbled())]
    var pair = try Connected()
    #expect(failure(pool, &pair.client, .milliseconds(300))?.code == .timedOut)
    #expect(pair.client.statistics.reaps < 20)
    for buffer in held { _ = buffer.take() }
  }
}
