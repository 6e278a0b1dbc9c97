import Glibc
import SystemPackage
import TestSupport
import ZeroCopy

/// Our end: sends the pattern in random pieces and ways, reuses memory as soon as it may, and ends as planned.
struct Sender: ~Copyable {
  private let plan: Plan
  private var socket: ZeroCopySocket
  private var slots: Slots
  private var random: SeededGenerator
  private var disturbance: Disturbance?
  private var mode: WriteMode
  /// Bytes of the stream that were accepted.
  private var offset = 0
  /// Where it is to end.
  private var end = 0
  private var failedSends = 0
  /// Calls that got nowhere since the last that did.
  private var failuresInTurn = 0

  init(_ plan: Plan, _ socket: consuming ZeroCopySocket) {
    self.plan = plan
    mode = plan.mode
    disturbance = Disturbance.begin(plan, on: socket)
    self.socket = consume socket
    slots = Slots(count: plan.slotCount, size: plan.slotSize, isProtected: plan.isProtected)
    random = SeededGenerator(seed: plan.seed &+ 2)
  }

  struct Outcome {
    var tally: Tally
    /// Whether all was accepted and the stream ended in order, as far as we saw.
    var isWhole: Bool
  }

  mutating func run() throws -> Outcome {
    // An abort and the like come in the middle.
    end =
      [.abort, .drop].contains(plan.ending) ? Int.random(in: 0...plan.volume, using: &random) : plan.volume
    var isWhole = true
    do {
      while offset < end { try step(atMost: plan.volume - offset) }
    } catch let error as ZeroCopyError where error.code == .connectionLost && plan.mayBeCut {
      isWhole = false
    }
    var tally = Tally(sessions: 1, bytesSent: offset, failedSends: failedSends)
    isWhole = try finish(&tally) && isWhole
    return Outcome(tally: tally, isWhole: isWhole)
  }

  /// Fills a buffer and sends it.
  private mutating func step(atMost most: Int) throws {
    let index = try freeSlot()
    try disturbance?.act(on: &socket)
    slots.sweep(socket)
    let powers = log2(Double(plan.sizes.lowerBound))...log2(Double(plan.sizes.upperBound))
    let size = min(most, Int(exp2(Double.random(in: powers, using: &random))))
    let memory = UnsafeMutableRawBufferPointer(rebasing: slots.memory(index)[..<size])
    plan.pattern.fill(memory, from: offset)
    let first = socket.nextSend
    let (accepted, failure) = send(UnsafeRawBufferPointer(memory))
    offset += accepted
    slots.lend(index, for: first..<socket.nextSend)
    if let failure { try endure(failure) } else { failuresInTurn = 0 }
    if Int.random(in: 0..<8, using: &random) == 0 { try socket.reap() }
    slots.sweep(socket)
  }

  /// One call of any kind.
  private mutating func send(_ memory: UnsafeRawBufferPointer) -> (accepted: Int, failure: ZeroCopyError?) {
    var accepted = 0
    do throws(ZeroCopyError) {
      switch Int.random(in: 0..<16, using: &random) {
      case 0..<4: accepted = try socket.writev(memory, mode: mode)
      case 4..<8: accepted = try socket.writev(pieces(of: memory), mode: mode)
      case 8..<11:
        try socket.writeAll(memory, mode: mode)
        accepted = memory.count
      case 11..<14:
        try socket.writeAll(pieces(of: memory), mode: mode)
        accepted = memory.count
      case 14:
        try socket.writeAll(memory, mode: .copy)
        accepted = memory.count
      default:
        // What it waits for in vain for so long ends the connection.
        disturbance?.calm(socket)
        try socket.writeAndFlush(memory.bytes, timeout: .seconds(60), mode: mode)
        accepted = memory.count
      }
    } catch {
      return (error.bytesAccepted, error)
    }
    return (accepted, nil)
  }

  private mutating func pieces(of memory: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
    var pieces: [UnsafeRawBufferPointer] = []
    var start = 0
    while start < memory.count {
      let end = pieces.count == 15 ? memory.count : Int.random(in: start...memory.count, using: &random)
      pieces.append(UnsafeRawBufferPointer(rebasing: memory[start..<end]))
      start = end
    }
    return pieces
  }

  /// Lets pass what may happen, and waits for it to be over; rethrows the rest.
  private mutating func endure(_ error: ZeroCopyError) throws {
    failedSends += 1
    failuresInTurn += 1
    if error.code == .zeroCopyUnavailable, error.isSocketUsable, plan.mayBecomeUnavailable {
      // It is not to be had any more.
      mode = .automatic
      end = min(end, offset + plan.volumeOfCopies)
      return
    }
    // It has waited in vain, or as good as that.
    if !plan.isNonblocking || failuresInTurn % 32 == 0 { disturbance?.calm(socket) }
    let isPassing = [
      .wouldBlock, .timedOut, .inFlightLimit, .lockedMemoryLimit, .notificationMemoryLimit,
    ].contains(error.code)
    // Made to fail with nothing in flight, where no limit is to blame.
    let isMade = plan.faults != nil && error.errno == .noBufferSpace
    // Half a minute without a byte is a hang.
    guard isPassing || isMade, error.isSocketUsable, failuresInTurn < 30_000 else { throw error }
    usleep(1000)
  }

  /// Waits for memory that may be written.
  private mutating func freeSlot() throws -> Int {
    if let index = slots.free { return index }
    try socket.reap()
    slots.sweep(socket)
    if let index = slots.free { return index }
    let oldest = slots.oldestEnd
    try Disturbance.patiently(&disturbance, &socket) { socket, timeout throws(ZeroCopyError) in
      try socket.waitForRelease(before: oldest, timeout: timeout)
    }
    slots.sweep(socket)
    guard let index = slots.free else { throw Trouble("the wait for memory ended, and nothing was released") }
    return index
  }

  /// - Returns: Whether the stream ended in order.
  private mutating func finish(_ tally: inout Tally) throws -> Bool {
    var isWhole = true
    do throws(ZeroCopyError) {
      switch plan.ending {
      case .close:
        try Disturbance.patiently(&disturbance, &socket) { socket, timeout throws(ZeroCopyError) in
          try socket.close(timeout: timeout)
        }
      case .flush, .relinquish:
        try Disturbance.patiently(&disturbance, &socket) { socket, timeout throws(ZeroCopyError) in
          try socket.flush(timeout: timeout)
        }
      case .abort:
        socket.abort()
        isWhole = false
      case .drop: isWhole = socket.statistics.inFlight == 0
      }
    } catch {
      guard error.code == .connectionLost, plan.mayBeCut else { throw error }
      isWhole = false
    }
    let statistics = socket.statistics
    tally.zeroCopySends = statistics.zeroCopySends
    tally.completed = statistics.completed
    tally.copied = statistics.copied
    tally.fallbacks = statistics.fallbacks
    tally.settled = statistics.settled
    tally.givenUp = statistics.inFlight
    tally.disturbed = plan.disturbance == nil ? 0 : 1
    tally.unavailable = socket.availability.isAvailable ? 0 : 1
    try plan.checkIDs(statistics)
    if ![.abort, .drop].contains(plan.ending), isWhole {
      guard statistics.inFlight == 0, statistics.completed == statistics.zeroCopySends else {
        throw Trouble("the flush ended with sends in flight: \(statistics)")
      }
      slots.sweep(socket)
    }
    if plan.ending == .relinquish, isWhole { try socket.relinquish().close() }
    return isWhole
  }
}
