import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

extension LimitTests {
  @Suite("A budget that fits the limits")
  struct Budget {
    @Test("It is what the system says")
    func fits() throws {
      try lockingAtMost(1 << 20) {
        let budget = SendBudget.fittingSystemLimits()
        #expect(budget.maximumBytes == 1 << 20)
        #expect(budget.maximumBytesPerSocket == 1 << 19)
        #expect(budget.maximumSendsPerSocket == sendsThatFit)
        let narrower = SendBudget.fittingSystemLimits(
          maximumBytesPerSocket: 100_000, maximumSendsPerSocket: 3)
        #expect(narrower.maximumBytes == 1 << 20)
        #expect(narrower.maximumBytesPerSocket == 100_000)
        #expect(narrower.maximumSendsPerSocket == 3)
        #expect(
          SendBudget.fittingSystemLimits(maximumSendsPerSocket: .max).maximumSendsPerSocket == sendsThatFit)
      }
    }

    /// Of which each takes a block of notification memory.
    private var sendsThatFit: Int {
      let option = czc_option_memory_limit()
      // What was usual, where it cannot be read.
      return option > 0 ? Int(option) / 1024 : 20
    }

    @Test("Who has no limit of locked memory has no bound on bytes", .enabled(if: isRootOfAll))
    func unlimited() {
      let budget = SendBudget.fittingSystemLimits(maximumBytesPerSocket: 1 << 20)
      #expect(budget.maximumBytes == .max)
      #expect(budget.maximumBytesPerSocket == 1 << 20)
    }

    @Test(
      "Sockets that share it never meet ENOBUFS, whatever the size of their sends",
      arguments: [64 << 10, 1 << 20])
    func steadyState(_ limit: UInt64) throws {
      try lockingAtMost(limit) {
        let budget = SendBudget.fittingSystemLimits()
        let pool = try BufferPool(bufferSize: 200_000, count: 12, pages: .standard)
        let rounds = TestScale.scaled(100)
        // Each starts in this thread, and so has its capabilities: none.
        let workers = try (0..<3).map { worker in
          let ends = try Connected(client: Configuration(mode: .zeroCopy, budget: budget)).split()
          let reading = Background {
            var socket = ends.server.take()
            return try socket.readPattern(isSlow: worker == 0)
          }
          let sending = Background {
            var socket = ends.client.take()
            // A send that waits until the limit has room hides from us that it has met it.
            let faults = try Faults(on: socket.fileDescriptor)
            var random = SeededGenerator(seed: UInt64(worker))
            var sent = 0
            for _ in 0..<rounds {
              var buffer = try socket.buffer(from: pool, timeout: .seconds(60))
              let size = Int.random(in: 1...200_000, using: &random)
              buffer.scribble()
              buffer.append(size, of: Pattern(), from: sent)
              try socket.send(buffer)
              sent += size
            }
            try socket.close(timeout: .seconds(60))
            return (sent, socket.statistics, faults.counts)
          }
          return (reading, sending)
        }
        for (reading, sending) in workers {
          let (sent, statistics, counts) = try sending.value()
          let (byteCount, wrongAt) = try reading.value()
          #expect(byteCount == sent)
          #expect(wrongAt == nil)
          #expect(statistics.fallbacks == 0)
          #expect(statistics.zeroCopySends == statistics.sends)
          #expect(counts.noBufferSpace == 0)
        }
        #expect(budget.usedBytes == 0)
      }
    }

    @Test("Against a peer that reads nothing, the kernel answers ENOBUFS without it, and never with it")
    func countedByTheKernel() throws {
      try lockingAtMost(64 << 10) {
        for budget in [nil, SendBudget.fittingSystemLimits()] {
          let pool = try BufferPool(bufferSize: 3000, count: 20, pages: .standard)
          var pair = try Connected(client: Configuration(mode: .zeroCopy, budget: budget))
          _ = try pair.stall()
          let faults = try Faults(on: pair.client.fileDescriptor)
          var failure: ZeroCopyError?
          while failure == nil { failure = SendingTests.failure(of: try pool.filled(), on: &pair.client) }
          #expect(failure?.code == (budget == nil ? .lockedMemoryLimit : .inFlightLimit))
          #expect((faults.counts.noBufferSpace > 0) == (budget == nil))
          #expect(pair.client.abort().remaining == 0)
        }
      }
    }

    @Test(
      "Small sends that do not merge stay below the notification memory as well",
      .enabled(if: isRootOfAll, "needs root outside a user namespace, for a send buffer of any size"))
    func smallSends() throws {
      let budget = SendBudget.fittingSystemLimits()
      let pool = try BufferPool(bufferSize: 100, count: 2000, pages: .standard)
      var pair = try Connected(client: Configuration(mode: .zeroCopy, budget: budget))
      var expected = try pair.stall()
      var failure: ZeroCopyError?
      for _ in 0..<1000 where failure == nil {
        let buffer = try pool.filled()
        let contents = buffer.contents
        failure = SendingTests.failure(of: buffer, on: &pair.client)
        if failure == nil {
          expected += contents
          // A copied byte behind each keeps them from merging.
          try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1)), mode: .copy)
          expected.append(pinnedBytes(1)[0])
        }
      }
      // Our own bound, and not the kernel's.
      #expect(failure?.code == .inFlightLimit)
      #expect(try pair.server.read(count: expected.count) == expected)
      try pair.client.flush(timeout: .seconds(10))
      #expect(budget.usedBytes == 0)
    }

    @Test(
      "A socket that is tried again and again while it is full uses up no limit for the others",
      arguments: [100, 4096, 30_000])
    func fullSocket(_ size: Int) throws {
      try lockingAtMost(1 << 20) {
        let budget = SendBudget.fittingSystemLimits(maximumBytesPerSocket: 930_000)
        let pool = try BufferPool(bufferSize: 30_000, count: 24, pages: .standard)
        var full = try Connected(client: Configuration(mode: .zeroCopy, budget: budget))
        _ = try full.stall()
        try full.client.send(pool.filled(size))
        full.client.setOption(SOL_SOCKET, SO_SNDBUF, 4096)
        // The packet that has not left yet takes up to 17 pieces more.
        var pending: SendBuffer?
        while pending.isNone { pending = try full.client.trySend(pool.filled(size)) }
        // Each try is joined with the send before, whose end gives back the pages of both; but not where they are more
        // than 512 KiB together.
        for _ in 0..<1000 {
          guard let next = pending.take() else { break }
          pending = try full.client.trySend(next)
        }
        let isFull = !pending.isNone
        #expect(isFull)
        #expect(budget.usedBytes <= budget.maximumBytesPerSocket)
        var live = try Connected(client: Configuration(mode: .zeroCopy, budget: budget))
        let peer = live.serve { socket in try socket.readPattern() }
        for round in 0..<50 {
          let buffer = try live.client.filled(from: pool, 30_000, at: round * 30_000)
          try live.client.send(buffer)
        }
        try live.client.close(timeout: .seconds(10))
        let (byteCount, wrongAt) = try peer.value()
        #expect(byteCount == 1_500_000)
        #expect(wrongAt == nil)
        let stalled = full.serve { socket in try socket.expectEnd() }
        try full.client.close(timeout: .seconds(10))
        try stalled.value()
        #expect(budget.usedBytes == 0)
      }
    }

    @Test("Where others take the user's limit, automatic mode copies")
    func othersTakeIt() throws {
      try lockingAtMost(64 << 10) {
        // Without the budget, as another process of the user would be.
        var other = try Connected()
        var expected = try other.stall()
        #expect(sendUntilFailure(&other.client, pinnedBytes(1), &expected)?.code == .lockedMemoryLimit)
        let budget = SendBudget.fittingSystemLimits()
        let pool = try BufferPool(bufferSize: longSend, count: 2, pages: .standard)
        var pair = try Connected(client: Configuration(budget: budget))
        let peer = pair.serve { socket in try socket.readPattern() }
        for round in 0..<10 {
          let buffer = try pair.client.filled(from: pool, longSend, at: round * longSend)
          try pair.client.send(buffer, mode: .automatic)
        }
        #expect(pair.client.statistics.fallbacks > 0)
        try pair.client.close(timeout: .seconds(10))
        let (byteCount, wrongAt) = try peer.value()
        #expect(byteCount == 10 * longSend)
        #expect(wrongAt == nil)
        #expect(pool.statistics.free == 2)
      }
    }

    @Test("A buffer that is larger than the limit is sent in parts with it, and told without")
    func largeBuffer() throws {
      try lockingAtMost(64 << 10) {
        let pool = try BufferPool(bufferSize: 1 << 20, count: 1, pages: .standard)
        var without = try Connected()
        let failure = SendingTests.failure(of: try pool.filled(), on: &without.client)
        #expect(failure?.code == .lockedMemoryLimit)
        #expect(pool.statistics.free == 1)
        var with = try Connected(client: Configuration(budget: .fittingSystemLimits()))
        let peer = with.serve { socket in try socket.readPattern() }
        try with.client.send(pool.filled(), mode: .zeroCopy)
        try with.client.close(timeout: .seconds(10))
        let (byteCount, wrongAt) = try peer.value()
        #expect(byteCount == 1 << 20)
        #expect(wrongAt == nil)
        #expect(with.client.statistics.fallbacks == 0)
      }
    }
  }
}
