import Synchronization
import TestSupport
import ZeroCopy

/// Very many buffers through one small pool, over several sockets and threads: every byte right, memory flat, and
/// nothing quarantined.
struct PoolSoak {
  let count: Int
  let seed: UInt64

  private static let threads = 4
  private static let socketsPerThread = 2

  func run() throws {
    let pool = try BufferPool(bufferSize: 8192, count: 32)
    let workers = try (0..<Self.threads).map { number in
      let ends = try (0..<Self.socketsPerThread).map { _ in try Connected().split() }
      let receiving = ends.map { ends in
        Background {
          var socket = ends.server.take()
          return try socket.readPattern()
        }
      }
      let worker = Worker(
        pool: pool, count: count / Self.threads, seed: seed &+ UInt64(number), measures: number == 0)
      let first = ends[0].client
      let second = ends[1].client
      return (Background { try worker.run(first, second) }, receiving)
    }
    var sent = 0
    var received = 0
    var sends = 0
    var memory: [Int] = []
    for (sending, receiving) in workers {
      let outcome = try sending.value()
      sent += outcome.bytes
      sends += outcome.buffers
      memory += outcome.memory
      for stream in receiving {
        let (byteCount, wrongAt) = try stream.value()
        if let wrongAt { throw Trouble("CORRUPTION at byte \(wrongAt) of a stream") }
        received += byteCount
      }
    }
    let statistics = pool.statistics
    say(
      "soak: \(sends) buffers through a pool of \(statistics.count) over"
        + " \(Self.threads * Self.socketsPerThread) sockets and \(Self.threads) threads: \(received >> 20) MiB"
        + " checked, 0 bytes wrong; memory \(memory.map { "\($0 >> 10)" }.joined(separator: ", ")) KiB at 10, 50"
        + " and 100 %; free \(statistics.free), quarantined \(statistics.quarantined), lost \(statistics.lost)"
    )
    guard received == sent else { throw Trouble("\(sent) bytes were sent, and \(received) received") }
    guard statistics.free == statistics.count, statistics.quarantined == 0, statistics.lost == 0 else {
      throw Trouble("the pool is not whole at the end: \(statistics)")
    }
    // Pages that are touched late, of stacks and of malloc's.
    guard let begin = memory.first, let end = memory.last, end - begin < 1 << 20 else {
      throw Trouble("memory is not flat")
    }
  }
}

/// One thread, which serves two sockets in turn.
private struct Worker: Sendable {
  struct Outcome: Sendable {
    var bytes = 0
    var buffers = 0
    var memory: [Int] = []
  }

  let pool: BufferPool
  let count: Int
  let seed: UInt64
  let measures: Bool

  func run(_ first: Handoff<ZeroCopySocket>, _ second: Handoff<ZeroCopySocket>) throws -> Outcome {
    var random = SeededGenerator(seed: seed)
    var one = first.take()
    var other = second.take()
    var offsets = [0, 0]
    var outcome = Outcome()
    let marks = [count / 10, count / 2, count - 1]
    for number in 0..<count {
      var buffer = try buffer(&one, &other)
      let size = Int.random(in: 1...8192, using: &random)
      let target = number % 2
      buffer.scribble()
      buffer.append(size, of: Pattern(), from: offsets[target])
      if target == 0 {
        try one.send(buffer, mode: .zeroCopy)
      } else {
        try other.send(buffer, mode: .zeroCopy)
      }
      offsets[target] += size
      outcome.bytes += size
      outcome.buffers += 1
      if measures, marks.contains(number) { outcome.memory.append(try Footprint.current().memory) }
    }
    try one.close(timeout: .seconds(60))
    try other.close(timeout: .seconds(60))
    return outcome
  }

  /// Waits on one socket, and looks after the other one now and then: what that holds nobody else can release.
  private func buffer(
    _ one: inout ZeroCopySocket, _ other: inout ZeroCopySocket
  ) throws(ZeroCopyError) -> SendBuffer {
    for _ in 0..<6000 {
      try other.reap()
      do throws(ZeroCopyError) {
        return try one.buffer(from: pool, timeout: .milliseconds(10))
      } catch {
        guard error.code == .timedOut else { throw error }
      }
    }
    return try one.buffer(from: pool, timeout: .zero)
  }
}
