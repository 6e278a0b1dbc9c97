import CZeroCopy
import SystemPackage
import ZeroCopy

/// One subject on a connection of its own, which lasts over all rounds of a cell.
final class Sender {
  let subject: Subject
  private let path: BenchPath
  private let memory: BenchMemory
  private var socket: ZeroCopySocket
  /// What was sent before the first round.
  private var before = Statistics()

  init(_ subject: Subject, over path: BenchPath, from memory: BenchMemory) throws {
    (self.subject, self.path, self.memory) = (subject, path, memory)
    socket = try path.connect()
  }

  /// What so many sends cost, what they need until the memory is free included.
  /// - Returns: Seconds of this thread's processor time.
  func cost(of count: Int) throws -> Double {
    let begin = czc_thread_cpu()
    try send(count)
    try socket.flush(timeout: .seconds(60))
    let cost = Double(czc_thread_cpu() - begin) / 1e9
    try settle()
    return cost
  }

  /// Lets the connection get to know its path: by so many sends, or, on a slow path, by as many as there is time for.
  /// - Parameter end: By `czc_now()`.
  /// - Returns: What a send has cost in the second half of it, and how long it has taken, in seconds.
  func warmUp(_ most: Int, until end: UInt64) throws -> (cost: Double, time: Double) {
    var begin = (cpu: czc_thread_cpu(), time: czc_now(), sends: 0)
    var sends = 0
    repeat {
      if sends == most / 2 { begin = (czc_thread_cpu(), czc_now(), sends) }
      try send(1)
      sends += 1
    } while sends < most && czc_now() < end
    try socket.flush(timeout: .seconds(60))
    let cost = Double(czc_thread_cpu() - begin.cpu) / 1e9
    try settle()
    let counted = Double(sends - begin.sends)
    return (cost / counted, Double(czc_now() - begin.time) / 1e9 / counted)
  }

  private func send(_ count: Int) throws(ZeroCopyError) {
    let mode = subject.mode
    switch subject.memory {
    case .callers:
      // Nobody writes to the memory, and it outlives the connection.
      for _ in 0..<count { try unsafe socket.writeAll(memory.pieces.take(), mode: mode) }
    case .pool: try send(count, memory.pool, mode)
    case .hugePool: try send(count, memory.hugePool, mode)
    }
  }

  private func send(_ count: Int, _ pool: PoolMemory?, _ mode: WriteMode) throws(ZeroCopyError) {
    guard let pool else { return }
    for _ in 0..<count {
      let buffer = try pool.take(&socket)
      try socket.send(buffer, mode: mode)
    }
  }

  /// Waits until the peer has acknowledged nearly everything, so that it does not disturb who comes next. The
  /// very last acknowledgement may be late by 40 ms, on purpose.
  private func settle() throws {
    let end = czc_now() + 60_000_000_000
    while czc_unacknowledged(socket.fileDescriptor.rawValue) > 64 << 10 {
      guard czc_now() < end else { throw Failure("the receiver has not moved for a minute") }
      czc_pause(100_000)
    }
  }

  var statistics: Statistics { socket.statistics }

  /// From here on counts what `counts` tells.
  func beginCounting() { before = socket.statistics }

  var counts: Counts {
    let now = socket.statistics
    return Counts(
      sends: now.sends - before.sends, zeroCopySends: now.zeroCopySends - before.zeroCopySends,
      completed: now.completed - before.completed, copied: now.copied - before.copied)
  }

  /// Of several connections of a subject.
  struct Counts {
    var sends = 0
    var zeroCopySends = 0
    var completed = 0
    var copied = 0

    mutating func add(_ other: Counts) {
      sends += other.sends
      zeroCopySends += other.zeroCopySends
      completed += other.completed
      copied += other.copied
    }

    /// `nil` where there was nothing that could be.
    var zeroCopyShare: Double? { sends > 0 ? Double(zeroCopySends) / Double(sends) : nil }
    var copiedShare: Double? { completed > 0 ? Double(copied) / Double(completed) : nil }
  }

  /// Closes the connection, and notes what the receiver has received.
  func end() throws {
    try path.noteEnd(&socket)
    try socket.close(timeout: .seconds(60))
  }
}
