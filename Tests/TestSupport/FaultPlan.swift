import CTestSupport
import CZeroCopy
import SystemPackage

/// What becomes of one send.
public enum SendFault: Sendable {
  case none
  /// The kernel is offered at most so many bytes. Streams only: a datagram would arrive cut.
  case short(Int)
  /// It fails, and the kernel sees nothing of it.
  case failure(Errno)
  /// It fails and takes an id all the same, which is on the error queue when it returns: what a datagram
  /// that fails after it was built does (rule 2).
  case failureTakingID(Errno)
}

/// How often what becomes of a send, from 0 to 1 each.
public struct SendChances: Sendable {
  public var short: Double
  public var interrupted: Double
  public var wouldBlock: Double
  public var noBufferSpace: Double

  public init(
    short: Double = 0, interrupted: Double = 0, wouldBlock: Double = 0, noBufferSpace: Double = 0
  ) {
    self.short = short
    self.interrupted = interrupted
    self.wouldBlock = wouldBlock
    self.noBufferSpace = noBufferSpace
  }
}

/// What becomes of notifications; chances from 0 to 1.
public struct NotificationFaults: Sendable {
  /// Held back until so many wait, or for 10 ms, and then delivered in any order.
  public var held = 0
  /// At most so many in one read of the error queue.
  public var perRead = Int.max
  /// Joined with the one before, where it follows on it and still waits.
  public var merged = 0.0
  /// One range of several ids becomes two messages.
  public var split = 0.0
  public var repeated = 0.0
  /// Followed by one for two ids that nobody has issued, so far off that no send is meant. Two, because the
  /// id of a first send, alone in flight, is believed whatever it is (rule 6).
  public var unknown = 0.0
  /// Preceded by a time stamp and an ICMP error.
  public var foreign = 0.0
  /// Arrives with MSG_CTRUNC: its ids are lost (rule 12).
  public var truncated = 0.0
  /// A zero-copy send returns only when its notification is queued (rule 7).
  public var beforeReturn = false

  public init() {}

  var areAny: Bool {
    held > 0 || perRead < .max || beforeReturn
      || [merged, split, repeated, unknown, foreign, truncated].contains { $0 > 0 }
  }
}

/// What the seam has done.
public struct FaultCounts: Sendable {
  /// Sends that failed here, and those that were offered in part.
  public var failedSends = 0
  public var shortSends = 0
  /// Zero-copy sends that the kernel accepted.
  public var zeroCopySends = 0
  /// Sends to which the kernel itself answered that there is no buffer space.
  public var noBufferSpace = 0
  /// Ids that the kernel has reported, each of them once.
  public var reportedIDs = 0
  /// Of the kernel's notifications, those for several ids.
  public var ranges = 0
  public var outOfOrder = 0
  public var merged = 0
  public var split = 0
  public var repeated = 0
  public var unknown = 0
  public var foreign = 0
  public var truncated = 0
}

/// The faults of one descriptor: a value, which `Faults` keeps behind a lock.
struct FaultPlan {
  var generator: SeededGenerator
  let template: cts_message
  let blockSize: UInt32

  /// What becomes of the next sends; when it is empty, what `decide` says, or else the chances.
  var nextSends: [SendFault] = []
  var decide: (@Sendable (_ number: Int, _ byteCount: Int) -> SendFault)?
  var chances = SendChances()
  var notifications = NotificationFaults()
  var counts = FaultCounts()

  /// Added to the kernel's ids.
  private let offset: UInt32
  /// The kernel's ids before which a failed send has taken one that the kernel does not know of.
  private var takenBefore: [UInt32] = []
  /// The kernel's id that the next zero-copy send takes.
  private var nextKernelID: UInt32

  private var sends = 0
  private var queue: [cts_message] = []
  /// When the first of those that are held back came, in nanoseconds.
  private var heldSince: UInt64 = 0
  private var isDelivering = false
  private var pretendedToBeFull = false

  init(seed: UInt64, template: cts_message, blockSize: UInt32, kernelID: UInt32, firstID: UInt32) {
    generator = SeededGenerator(seed: seed)
    self.template = template
    self.blockSize = blockSize
    nextKernelID = kernelID
    offset = firstID &- kernelID
  }

  /// What the library gets to see of a kernel's id.
  private func shown(_ kernelID: UInt32) -> UInt32 {
    let before = takenBefore.count { Int32(bitPattern: kernelID &- $0) >= 0 }
    return kernelID &+ offset &+ UInt32(before)
  }

  private var nextID: UInt32 { shown(nextKernelID) }

  private mutating func happens(_ chance: Double) -> Bool {
    chance > 0 && Double.random(in: 0..<1, using: &generator) < chance
  }
}

// MARK: Sending

extension FaultPlan {
  mutating func send(byteCount: Int, zeroCopy: Bool) -> cts_send {
    let number = sends
    sends += 1
    var fault = SendFault.none
    if !nextSends.isEmpty {
      fault = nextSends.removeFirst()
    } else if let decide {
      fault = decide(number, byteCount)
    } else if happens(chances.interrupted) {
      fault = .failure(.interrupted)
    } else if happens(chances.wouldBlock) {
      fault = .failure(.resourceTemporarilyUnavailable)
    } else if zeroCopy, happens(chances.noBufferSpace) {
      fault = .failure(.noBufferSpace)
    } else if byteCount > 1, happens(chances.short) {
      fault = .short(Int.random(in: 1..<byteCount, using: &generator))
    }
    let collects = zeroCopy && notifications.areAny
    var answer = cts_send(
      error: 0, limit: .max, collect: !collects ? -1 : notifications.beforeReturn ? 1000 : 0)
    switch fault {
    case .none: break
    case .short(let limit):
      if limit < byteCount { counts.shortSends += 1 }
      answer.limit = limit
    case .failure(let errno):
      counts.failedSends += 1
      if errno == .resourceTemporarilyUnavailable { pretendedToBeFull = true }
      answer.error = errno.rawValue
    case .failureTakingID(let errno):
      counts.failedSends += 1
      answer.error = errno.rawValue
      if zeroCopy { takeID() }
    }
    return answer
  }

  mutating func sent(zeroCopy: Bool) {
    guard zeroCopy else { return }
    counts.zeroCopySends += 1
    nextKernelID &+= 1
  }

  mutating func refused(_ errno: Errno) {
    if errno == .noBufferSpace { counts.noBufferSpace += 1 }
  }

  mutating func inject(first: UInt32, last: UInt32) {
    var message = template
    message.first = first
    message.last = last
    queue.append(message)
  }

  private mutating func takeID() {
    inject(first: nextID, last: nextID)
    takenBefore.append(nextKernelID)
  }
}

// MARK: Notifications

extension FaultPlan {
  mutating func absorb(_ original: cts_message) {
    guard original.isNotification else {
      queue.append(original)
      return
    }
    if queue.isEmpty { heldSince = czc_now() }
    counts.reportedIDs += Int(original.last &- original.first) + 1
    if original.first != original.last { counts.ranges += 1 }
    var rest = original
    // A range is cut where a failed send has taken an id between.
    for cut in takenBefore where cut &- rest.first &- 1 < rest.last &- rest.first {
      var head = rest
      head.last = cut &- 1
      rest.first = cut
      enqueue(head)
    }
    enqueue(rest)
  }

  private mutating func enqueue(_ kernels: cts_message) {
    var message = kernels
    message.first = shown(message.first)
    message.last = shown(message.last)
    if happens(notifications.foreign) { enqueueForeign() }
    if message.first != message.last, happens(notifications.split) {
      var head = message
      head.last = message.first &+ UInt32.random(in: 0..<(message.last &- message.first), using: &generator)
      message.first = head.last &+ 1
      queue.append(head)
      counts.split += 1
    } else if happens(notifications.merged),
      let index = queue.firstIndex(where: { $0.isNotification && $0.last &+ 1 == message.first })
    {
      queue[index].last = message.last
      queue[index].code |= message.code
      counts.merged += 1
      return
    }
    if happens(notifications.truncated) {
      message.is_truncated = true
      counts.truncated += 1
    }
    queue.append(message)
    if !message.is_truncated, happens(notifications.repeated) {
      queue.append(message)
      counts.repeated += 1
    }
    if happens(notifications.unknown) {
      message.is_truncated = false
      message.first = nextID &+ 1_000_000
      message.last = message.first &+ 1
      queue.append(message)
      counts.unknown += 1
    }
  }

  private mutating func enqueueForeign() {
    for origin in [CTS_ORIGIN_TIMESTAMPING, CTS_ORIGIN_ICMP] {
      var message = template
      message.origin = UInt8(origin)
      message.error = UInt32((origin == CTS_ORIGIN_ICMP ? Errno.connectionRefused : .noMessage).rawValue)
      message.first = nextID
      message.last = nextID
      queue.append(message)
      counts.foreign += 1
    }
  }

  mutating func next(index: Int) -> cts_message? {
    if index == 0 { isDelivering = !holdsBack }
    guard isDelivering, index < notifications.perRead, !queue.isEmpty else { return nil }
    let place = notifications.held > 0 ? Int.random(in: queue.indices, using: &generator) : 0
    if place != 0 { counts.outOfOrder += 1 }
    return queue.remove(at: place)
  }

  private var holdsBack: Bool {
    !queue.isEmpty && queue.count < notifications.held && czc_now() - heldSince < 10_000_000
  }

  /// What waits here counts as in flight: the library may ask how much is, and whether it is at rest (rule 31).
  /// A block for each id, also of those that were merged: the kernel merges only what a read would return, so that
  /// what is held back has not been merged yet.
  var memory: UInt32 {
    blockSize * queue.reduce(0) { $1.isNotification ? $0 &+ ($1.last &- $1.first) &+ 1 : $0 }
  }

  mutating func events() -> cts_events {
    defer { pretendedToBeFull = false }
    return cts_events(
      error: !queue.isEmpty, writable: pretendedToBeFull, after: holdsBack ? 5 : 0)
  }
}

extension cts_message {
  var isNotification: Bool { is_extended && Int(origin) == Int(CTS_ORIGIN_ZEROCOPY) && error == 0 }
}
