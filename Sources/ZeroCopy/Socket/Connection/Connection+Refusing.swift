internal import CZeroCopy
internal import SystemPackage

/// What becomes of the number of a send whose call has failed. Most failed calls took no id; a datagram's may have taken
/// one all the same (rule 2), and to take that number back would release every later send one id early.
extension Connection {
  @inline(never)
  mutating func refused(_ send: UInt64, _ errno: Errno) -> Attempt {
    let before = statistics.completed
    let tookID = takesBack(send, errno)
    // vsock answers ENOMEM where the others answer ENOBUFS (rule 5).
    guard errno == .noBufferSpace || errno == .noMemory else { return .failed(errno) }
    if tookID { return .shortage(.droppedDatagram) }
    return .shortage(.kernelLimit, hasDrained: statistics.completed > before)
  }

  /// Takes back the id of a call that failed.
  /// - Parameter errno: `nil` where it is not known.
  /// - Returns: Whether the call took it all the same, as a datagram that failed after it was built does
  ///   (rule 2).
  mutating func takesBack(_ send: UInt64, _ errno: Errno?) -> Bool {
    account.updateNewest { $0.isSend = false }
    let mayHave = isDatagram && mayHaveTakenID(send, errno)
    // Where its pages were what was wanting, the kernel counts none of them.
    if !mayHave { takeBackNewest(mayStayCounted: facts.is_tcp && errno != .noBufferSpace) }
    // Only now: what is released depends on how many sends there are.
    if account.hasNews { releaseReported() }
    return mayHave
  }

  /// Whether a datagram that was refused may have taken an id: it is on the queue then, as a rule.
  private mutating func mayHaveTakenID(_ send: UInt64, _ errno: Errno?) -> Bool {
    // Before anything is read: an id that comes is none of this call's.
    if errno?.comesBeforeID == true { return false }
    readQueue(untilEmpty: true)
    var isReported = account.isReported(send)
    if !isReported {
      // Not on the queue, and perhaps not free either: of a datagram that was dropped after its first fragments had
      // left, those may wait in a queueing discipline. Only the option memory tells, and not always.
      let memory = quietOptionMemory()
      isReported = account.isReported(send)
      if !isReported, let memory, account.hasSurelyTakenNone(optionMemory: memory) { return false }
    }
    account.keepRefused(isReported: isReported, wasLent: descriptor.isLent)
    return true
  }

  /// The newest send has not used its number.
  mutating func takeBackNewest(mayStayCounted: Bool = false) {
    if var record = account.takeBack() {
      if mayStayCounted { leaveShare(of: &record) }
      budgetedBytes -= record.cost
    }
  }
}

extension Errno {
  /// Whether a send that fails so has not built its datagram yet, and takes no id (rule 2).
  fileprivate var comesBeforeID: Bool {
    switch self {
    case .resourceTemporarilyUnavailable, .interrupted, .badAddress, .connectionRefused: true
    default: false
    }
  }
}
