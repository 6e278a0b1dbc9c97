internal import CZeroCopy
internal import SystemPackage

/// Why a zero-copy send cannot be made now.
enum Shortage {
  /// Our own bound, `Configuration.maximumBytesInFlight`.
  case ownLimit
  /// This socket has all that one may have of the budget.
  case budgetOfSocket
  /// All sockets together have used up the budget, and so much is needed.
  case sharedBudget(cost: Int)
  /// It is not known where the kernel's counter stands: the first send of an adopted socket is alone
  /// until its id has been reported, and so is the first after ids that could not be trusted (rule 6).
  case unknownBase
  /// Very many later sends are done and one is not: the ledger would grow without a bound.
  case straggler
  /// A datagram that took an id and was dropped all the same (rule 18).
  case droppedDatagram
  /// The kernel answered ENOBUFS: one errno, several causes (rules 16 and 17).
  case kernelLimit

  /// Whether it is a bound of this package's. Such a one is over when what is in flight completes.
  var isOurs: Bool {
    switch self {
    case .ownLimit, .budgetOfSocket, .sharedBudget, .unknownBase, .straggler: true
    case .droppedDatagram, .kernelLimit: false
    }
  }
}

extension Connection {
  /// The shortage in words, with the limit, what is used of it, and what to do.
  func shortageError(_ shortage: Shortage, byteCount: Int) -> ZeroCopyError {
    let pinned =
      "\(account.inFlight.count) sends of \(statistics.bytesInFlight) bytes are in flight on this socket"
    switch shortage {
    case .budgetOfSocket:
      let budget = configuration.budget
      return inFlightLimit(
        "\(pinned), and of its budget one socket may have \(budget?.maximumBytesPerSocket ?? 0) bytes in"
          + " \(budget?.maximumSendsPerSocket ?? 0) sends; flush, or raise it")
    case .sharedBudget(let cost):
      return inFlightLimit(
        "the budget of this process is used up (\(configuration.budget.map { "\($0)" } ?? "none")), and the send"
          + " needs \(cost); flush, or raise it")
    case .ownLimit:
      let limit = configuration.maximumBytesInFlight ?? 0
      return inFlightLimit("\(pinned), and maximumBytesInFlight is \(limit); flush, or raise it")
    case .unknownBase:
      return inFlightLimit("the first zero-copy send of a descriptor goes alone, and \(pinned); flush")
    case .straggler:
      return inFlightLimit("one send has not completed while very many later ones have\(heldInWords); flush")
    case .droppedDatagram:
      return ZeroCopyError(
        .datagramDropped,
        "the kernel dropped the datagram on its way out; send slower, and flush before the memory is used again",
        errno: .noBufferSpace, isSocketUsable: true)
    case .kernelLimit:
      return kernelLimit(byteCount, pinned)
    }
  }

  private func inFlightLimit(_ message: String) -> ZeroCopyError {
    ZeroCopyError(.inFlightLimit, message, isSocketUsable: true)
  }

  /// Tells the kernel's limits apart by what they are and by what is used of them now, after the queue
  /// was drained.
  private func kernelLimit(_ byteCount: Int, _ pinned: String) -> ZeroCopyError {
    let limits = SystemLimits.current
    let used = czc_option_memory(number)
    let byteCount = account.countsIDs ? unsafe min(byteCount, Pieces.packetSize) : byteCount
    // Where the next block does not fit, be it the first, it is this.
    let block = account.blockSize ?? SystemLimits.largestNotificationBlock
    if used >= 0, used + block > limits.assumedOptionMemory {
      let limit = limits.optionMemory.map { "\($0) bytes" } ?? "not shown in this network namespace"
      return ZeroCopyError(
        .notificationMemoryLimit,
        "the notification memory of this socket (net.core.optmem_max) is \(limit), \(used) bytes are used,"
          + " and \(pinned); flush, send more at a time, or raise it with"
          + " 'sysctl -w net.core.optmem_max=\(max(131_072, 4 * (limits.optionMemory ?? used)))'",
        errno: .noBufferSpace, isSocketUsable: true)
    }
    if let limit = limits.lockedMemory, !limits.isLockedMemoryLifted {
      return ZeroCopyError(
        .lockedMemoryLimit,
        "the locked-memory limit of this user (RLIMIT_MEMLOCK) is \(limit) bytes over all its sockets, this send"
          + " needs \(SystemLimits.lockedMemory(ofSend: byteCount)), and \(pinned); flush, send less at a time,"
          + " raise it with 'ulimit -l' or LimitMEMLOCK=, or grant CAP_IPC_LOCK",
        errno: .noBufferSpace, isSocketUsable: true)
    }
    // vsock has one errno for this and for memory that cannot be read.
    let what =
      account.countsIDs
      ? "no memory for a zero-copy send, or cannot read this one's" : "no buffer space for a zero-copy send"
    return ZeroCopyError(
      .system, "the kernel has \(what), and \(pinned); flush and try again",
      errno: account.countsIDs ? .noMemory : .noBufferSpace, isSocketUsable: true)
  }
}
