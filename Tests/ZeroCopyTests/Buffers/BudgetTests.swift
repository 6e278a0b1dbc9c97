import CZeroCopy
import TestSupport
import Testing
import ZeroCopy

@Suite("A budget")
struct BudgetTests {
  /// What a send counts (rule 16).
  private func cost(_ byteCount: Int) -> Int { (byteCount / 4096 + 2) * 4096 }

  @Test("Has a least size, and caps what one socket may have")
  func bounds() {
    for tooSmall in [0, -1, Int.min] {
      let least = SendBudget(
        maximumBytes: tooSmall, maximumBytesPerSocket: tooSmall, maximumSendsPerSocket: tooSmall)
      #expect(least.maximumBytes == 24_576)
      #expect(least.maximumBytesPerSocket == 12_288)
      #expect(least.maximumSendsPerSocket == 1)
    }
    let half = SendBudget(maximumBytes: 1 << 20)
    #expect(half.maximumBytesPerSocket == 1 << 19)
    #expect(half.maximumSendsPerSocket == .max)
    #expect(SendBudget(maximumBytes: 1 << 20, maximumBytesPerSocket: .max).maximumBytesPerSocket == 1 << 20)
    #expect(SendBudget(maximumBytes: .max).maximumBytes == .max)
    #expect("\(half)" == "0 of 1048576 bytes in flight")
    #expect("\(SendBudget(maximumBytes: .max))" == "0 of unlimited bytes in flight")
  }

  @Test("Counts what is in flight as the kernel counts it, and gives it back with the notification")
  func counts() throws {
    let budget = SendBudget(maximumBytes: 1 << 20)
    let pool = try BufferPool(bufferSize: 100_000, count: 3)
    var pair = try Connected(client: Configuration(budget: budget))
    let before = try pair.stall()
    try pair.client.send(pool.filled(1), mode: .zeroCopy)
    #expect(budget.usedBytes == cost(1))
    try pair.client.send(pool.filled(), mode: .zeroCopy)
    #expect(budget.usedBytes == cost(1) + cost(100_000))
    try pair.client.send(pool.filled(), mode: .copy)
    #expect(budget.usedBytes == cost(1) + cost(100_000))
    #expect(try pair.server.read(count: before.count + 200_001).count == before.count + 200_001)
    try pair.client.flush(timeout: .seconds(10))
    #expect(budget.usedBytes == 0)
  }

  @Test("A call that the kernel refused leaves nothing behind")
  func refused() throws {
    let budget = SendBudget(maximumBytes: 1 << 20)
    let pool = try BufferPool(bufferSize: 1000, count: 1, pages: .standard)
    var pair = try Connected(client: Configuration(budget: budget))
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.failSends(with: .badAddress)
    #expect(SendingTests.failure(of: try pool.filled(), on: &pair.client)?.code == .unreadableMemory)
    #expect(budget.usedBytes == 0)
  }

  @Test(
    "One that was full counts it as the kernel does: until the send before it is done, where that is in flight"
  )
  func full() throws {
    let budget = SendBudget(maximumBytes: 4 << 20)
    let pool = try BufferPool(bufferSize: 600_000, count: 3, pages: .standard)
    var pair = try Connected(client: Configuration(budget: budget))
    let before = try pair.stall()
    try pair.client.send(pool.filled(1), mode: .zeroCopy)
    let faults = try Faults(on: pair.client.fileDescriptor)
    // Of more than 512 KiB it counts nothing.
    for size in [10_000, 600_000] {
      faults.failSends(with: .resourceTemporarilyUnavailable)
      let same = try pair.client.trySend(pool.filled(size), mode: .zeroCopy)
      let isBack = !same.isNone
      #expect(isBack)
      #expect(budget.usedBytes == cost(1) + cost(10_000))
    }
    // Whose pages the kernel could not count it does not count.
    faults.failSends(with: .noBufferSpace, times: 2)
    #expect(SendingTests.failure(of: try pool.filled(5000), on: &pair.client) != nil)
    #expect(budget.usedBytes == cost(1) + cost(10_000))
    #expect(try pair.server.read(count: before.count + 1).count == before.count + 1)
    try pair.client.flush(timeout: .seconds(10))
    #expect(budget.usedBytes == 0)
  }

  /// How a socket ends with sends in flight.
  enum End: String, CaseIterable { case abort, drop, closeAtReset }

  @Test("A socket that ends gives its share back, however it ends", arguments: End.allCases)
  func ends(_ end: End) throws {
    let budget = SendBudget(maximumBytes: 1 << 20)
    let pool = try BufferPool(bufferSize: 100_000, count: 2)
    do {
      var pair = try Connected(client: Configuration(budget: budget))
      _ = try pair.stall()
      try pair.client.send(pool.filled(), mode: .zeroCopy)
      #expect(budget.usedBytes == cost(100_000))
      switch end {
      case .abort: pair.client.abort()
      case .drop: break
      case .closeAtReset:
        try pair.serve { socket in socket.resetOnClose() }.value()
        #expect(
          error { () throws(ZeroCopyError) in try pair.client.close(timeout: .seconds(10)) }?.code
            == .connectionLost)
      }
    }
    #expect(budget.usedBytes == 0)
  }

  @Test("One socket gets its share and no more; another one still gets its own")
  func shares() throws {
    let budget = SendBudget(maximumBytes: 200_000)
    let pool = try BufferPool(bufferSize: 20_000, count: 20)
    var stalled = try Connected(client: Configuration(budget: budget))
    _ = try stalled.stall()
    var sent = 0
    while true {
      let failure = SendingTests.failure(of: try pool.filled(), on: &stalled.client)
      if let failure {
        #expect(failure.code == .inFlightLimit)
        #expect(failure.isSocketUsable)
        #expect(failure.description.contains("100000"))
        break
      }
      sent += 1
    }
    #expect(sent == 100_000 / cost(20_000))
    #expect(budget.usedBytes <= budget.maximumBytesPerSocket)
    // In automatic mode it copies.
    try stalled.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(longSend)), mode: .automatic)
    #expect(stalled.client.statistics.fallbacks == 1)

    var live = try Connected(client: Configuration(budget: budget))
    let peer = live.serve { socket in try socket.readPattern() }
    for round in 0..<200 {
      let buffer = try live.client.filled(from: pool, 20_000, at: round * 20_000)
      try live.client.send(buffer, mode: .zeroCopy)
      #expect(budget.usedBytes <= budget.maximumBytes)
    }
    try live.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 4_000_000)
    #expect(wrongAt == nil)
    #expect(live.client.statistics.fallbacks == 0)
    #expect(budget.usedBytes == sent * cost(20_000))
  }

  @Test("The number of sends is capped too")
  func sendsPerSocket() throws {
    let budget = SendBudget(maximumBytes: .max, maximumSendsPerSocket: 3)
    let pool = try BufferPool(bufferSize: 100, count: 5, pages: .standard)
    var pair = try Connected(client: Configuration(budget: budget))
    _ = try pair.stall()
    for _ in 0..<3 { try pair.client.send(pool.filled(), mode: .zeroCopy) }
    #expect(SendingTests.failure(of: try pool.filled(), on: &pair.client)?.code == .inFlightLimit)
    #expect(pair.client.statistics.inFlight == 3)
    #expect(pool.statistics.free == 2)
  }

  @Test(
    "A send that is larger than the share goes in several, of a size that makes sense",
    arguments: [0, 40_000, 1 << 20])
  func large(_ maximum: Int) throws {
    let budget = SendBudget(maximumBytes: maximum)
    let pool = try BufferPool(bufferSize: 1 << 20, count: 2)
    var pair = try Connected(client: Configuration(budget: budget))
    let peer = pair.serve { socket in try socket.readPattern() }
    try pair.client.send(pool.filled(), mode: .zeroCopy)
    let memory = pinnedBytes(1 << 20)
    Pattern().fill(memory, from: 1 << 20)
    try pair.client.writeAndFlush(
      UnsafeRawBufferPointer(memory).bytes, timeout: .seconds(20), mode: .zeroCopy)
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 2 << 20)
    #expect(wrongAt == nil)
    // A page each at least.
    #expect(pair.client.statistics.zeroCopySends <= (2 << 20) / 4096)
    #expect(pair.client.statistics.fallbacks == 0)
    #expect(pool.statistics.free == 2)
  }

  @Test("trySend sends as many parts as there is room for, and not only one")
  func partsAtOnce() throws {
    let budget = SendBudget(maximumBytes: 60_000, maximumBytesPerSocket: 60_000)
    let pool = try BufferPool(bufferSize: 70_000, count: 1)
    var pair = try Connected(client: Configuration(budget: budget))
    let isTaken = try pair.client.trySend(pool.filled(70_000), mode: .zeroCopy).isNone
    #expect(isTaken)
    // A part is half of the share at most.
    #expect(pair.client.statistics.bytes > 30_000)
    #expect(budget.usedBytes <= 60_000)
    let peer = pair.serve { socket in try socket.readPattern() }
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 70_000)
    #expect(wrongAt == nil)
  }

  @Test("A loss between two parts is told with how much of the buffer was accepted before")
  func lostBetweenParts() throws {
    let budget = SendBudget(maximumBytes: 60_000, maximumBytesPerSocket: 60_000)
    let pool = try BufferPool(bufferSize: 70_000, count: 1)
    var pair = try Connected(client: Configuration(budget: budget))
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.none, .failure(.connectionReset)])
    let buffer = try pool.filled(70_000)
    var failure: ZeroCopyError?
    do throws(ZeroCopyError) {
      _ = try pair.client.trySend(buffer, mode: .zeroCopy)
    } catch {
      failure = error
    }
    #expect(failure?.code == .connectionLost)
    #expect(pair.client.statistics.bytes > 0)
    #expect(failure?.bytesAccepted == pair.client.statistics.bytes)
  }

  @Test("Several pieces of memory, larger together than the share, go in order")
  func pieces() throws {
    let budget = SendBudget(maximumBytes: 100_000)
    let memory = pinnedBytes(500_000)
    Pattern().fill(memory, from: 0)
    var pair = try Connected(client: Configuration(budget: budget))
    let peer = pair.serve { socket in try socket.readPattern() }
    for count in [1, 7, 300] {
      try pair.client.writeAll(UnsafeRawBufferPointer(memory).cut(into: count), mode: .zeroCopy)
      try pair.client.writeAll([UnsafeRawBufferPointer(pinnedBytes(0))], mode: .zeroCopy)
    }
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 1_500_000)
    // It begins again.
    #expect(wrongAt == 500_000)
  }

  @Test("At the shared budget a send waits for another socket, which another thread flushes")
  func waitsForOthers() throws {
    let budget = SendBudget(maximumBytes: 100_000, maximumBytesPerSocket: 100_000)
    let pool = try BufferPool(bufferSize: 80_000, count: 2)
    var stalled = try Connected(client: Configuration(budget: budget))
    let before = try stalled.stall()
    try stalled.client.send(pool.filled(), mode: .zeroCopy)
    var live = try Connected(client: Configuration(writeTimeout: .seconds(60), budget: budget))
    let ends = stalled.split()
    let other = Background {
      czc_pause(50_000_000)
      var server = ends.server.take()
      _ = try server.read(count: before.count + 80_000)
      var client = ends.client.take()
      try client.flush(timeout: .seconds(10))
    }
    let start = czc_now()
    let cpu = czc_thread_cpu()
    try live.client.send(pool.filled(), mode: .zeroCopy)
    #expect((czc_thread_cpu() - cpu) * 2 < czc_now() - start)
    try other.value()
    #expect(live.client.statistics.zeroCopySends == 1)
    #expect(try live.server.read(count: 80_000).count == 80_000)
    try live.client.flush(timeout: .seconds(10))
    #expect(budget.usedBytes == 0)
  }

  @Test("What another socket gives back ends the wait at once, and not when it looks again by itself")
  func hearsOthers() throws {
    let budget = SendBudget(maximumBytes: 100_000, maximumBytesPerSocket: 100_000)
    let pool = try BufferPool(bufferSize: 80_000, count: 2)
    let ends = try Connected(client: Configuration(budget: budget)).split()
    let reading = Background {
      var server = ends.server.take()
      try server.expectEnd()
    }
    var waiting = try Connected(client: Configuration(budget: budget))
    let alsoReading = waiting.serve { socket in try socket.expectEnd() }
    let rounds = 30
    let start = czc_now()
    for _ in 0..<rounds {
      var holder = ends.client.take()
      try holder.send(pool.filled(), mode: .zeroCopy)
      ends.client.put(holder)
      let other = Background {
        czc_pause(5_000_000)
        var holder = ends.client.take()
        try holder.flush(timeout: .seconds(10))
        ends.client.put(holder)
      }
      try waiting.client.send(pool.filled(), mode: .zeroCopy)
      try other.value()
      try waiting.client.flush(timeout: .seconds(10))
    }
    // A lost ring would cost a second each time.
    #expect(czc_now() - start < UInt64(rounds) * 300_000_000)
    var holder = ends.client.take()
    try holder.close(timeout: .seconds(10))
    try waiting.client.close(timeout: .seconds(10))
    try reading.value()
    try alsoReading.value()
  }

  @Test("Nor does it wait longer than a write may, and trySend gives the buffer back")
  func bounded() throws {
    let budget = SendBudget(maximumBytes: 100_000, maximumBytesPerSocket: 100_000)
    let pool = try BufferPool(bufferSize: longSend, count: 2)
    var stalled = try Connected(client: Configuration(budget: budget))
    _ = try stalled.stall()
    try stalled.client.send(pool.filled(80_000), mode: .zeroCopy)
    var other = try Connected(client: Configuration(writeTimeout: .milliseconds(50), budget: budget))
    let failure = SendingTests.failure(of: try pool.filled(), on: &other.client)
    #expect(failure?.code == .inFlightLimit)
    #expect(failure?.isSocketUsable == true)
    guard let same = try other.client.trySend(pool.filled(), mode: .zeroCopy) else {
      Issue.record("the budget is used up, and it was taken")
      return
    }
    // By copying it goes.
    let isTaken = try other.client.trySend(same, mode: .automatic).isNone
    #expect(isTaken)
    #expect(other.client.statistics.fallbacks == 1)
  }

  @Test("A datagram beyond the share is no matter of waiting: trySend throws")
  func largeDatagram() throws {
    let budget = SendBudget(maximumBytes: 40_000)
    let pool = try BufferPool(bufferSize: 50_000, count: 1)
    var pair = try Datagrams("127.0.0.1", client: Configuration(budget: budget))
    #expect(SendingTests.failure(of: try pool.filled(), on: &pair.client)?.code == .inFlightLimit)
    let buffer = try pool.filled()
    var code: ZeroCopyError.Code?
    do throws(ZeroCopyError) {
      _ = try pair.client.trySend(buffer, mode: .zeroCopy)
    } catch {
      code = error.code
    }
    #expect(code == .inFlightLimit)
    try pair.client.send(pool.filled(), mode: .automatic)
    try pool.filled().contents.withUnsafeBytes { try pair.server.expectDatagram($0) }
  }

  @Test("Many sockets and threads on a small budget: every byte right, and nothing is left of it")
  func manySockets() throws {
    let budget = SendBudget(maximumBytes: 120_000, maximumBytesPerSocket: 60_000)
    let pool = try BufferPool(bufferSize: 30_000, count: 16)
    let rounds = TestScale.scaled(200)
    let workers = try (0..<4).map { _ in
      let ends = try Connected(client: Configuration(budget: budget)).split()
      let reading = Background {
        var socket = ends.server.take()
        return try socket.readPattern()
      }
      let sending = Background {
        var socket = ends.client.take()
        for round in 0..<rounds {
          let buffer = try socket.filled(from: pool, 30_000, at: round * 30_000, timeout: .seconds(60))
          try socket.send(buffer, mode: .zeroCopy)
        }
        try socket.close(timeout: .seconds(60))
        return socket.statistics
      }
      return (reading, sending)
    }
    for (reading, sending) in workers {
      let statistics = try sending.value()
      #expect(statistics.fallbacks == 0)
      #expect(statistics.completed == statistics.zeroCopySends)
      let (byteCount, wrongAt) = try reading.value()
      #expect(byteCount == rounds * 30_000)
      #expect(wrongAt == nil)
    }
    #expect(budget.usedBytes == 0)
    #expect(pool.statistics.free == 16)
  }
}
