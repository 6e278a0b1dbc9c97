internal import CZeroCopy
internal import SystemPackage

/// Why the kernel answered ENOBUFS to a zero-copy send: one errno, several causes (rules 16 to 18).
enum Shortage {
  /// A send that took an id and was dropped all the same (rule 18).
  case droppedDatagram
  /// Our own bound, `Configuration.maximumBytesInFlight`.
  case budget(Int)
  /// The first send of an adopted socket is alone until its id has been reported (rule 6).
  case unknownBase
  case lockedMemory(limit: Int64, needed: Int64)
  case notificationMemory(limit: Int64, used: Int64)
  case unknown

  /// Tells the kernel's limits apart by what they are and what is used now.
  init(descriptor: CInt, byteCount: Int) {
    let limits = SystemLimits.current
    let used = czc_option_memory(descriptor)
    // The largest block of the kernels known is 896 bytes; where the next does not fit, it is this.
    if let limit = limits.optionMemory, used > 0, used + 1024 > limit {
      self = .notificationMemory(limit: limit, used: used)
    } else if let limit = limits.lockedMemory, !limits.isLockedMemoryLifted {
      self = .lockedMemory(limit: limit, needed: SystemLimits.lockedMemory(ofSend: byteCount))
    } else {
      self = .unknown
    }
  }

  /// Whether it is over as soon as what is in flight has completed: ours, and no limit of the kernel's.
  var endsByItself: Bool {
    switch self {
    case .budget, .unknownBase: true
    default: false
    }
  }

  func error(inFlight: Int, bytesInFlight: Int) -> ZeroCopyError {
    let pinned = "\(inFlight) sends of \(bytesInFlight) bytes are in flight on this socket"
    switch self {
    case .droppedDatagram:
      return ZeroCopyError(
        .datagramDropped, "the kernel dropped the datagram on its way out; send slower",
        errno: .noBufferSpace, isSocketUsable: true)
    case .budget(let limit):
      return ZeroCopyError(
        .timedOut, "\(pinned), and maximumBytesInFlight is \(limit); flush, or raise it",
        isSocketUsable: true)
    case .unknownBase:
      return ZeroCopyError(
        .timedOut, "the first zero-copy send of an adopted descriptor has not completed; flush",
        isSocketUsable: true)
    case .lockedMemory(let limit, let needed):
      return ZeroCopyError(
        .lockedMemoryLimit,
        "the locked-memory limit of this user (RLIMIT_MEMLOCK) is \(limit) bytes over all its sockets,"
          + " this send needs \(needed), and \(pinned); flush, send less at a time, raise it with"
          + " 'ulimit -l' or LimitMEMLOCK=, or grant CAP_IPC_LOCK",
        errno: .noBufferSpace, isSocketUsable: true)
    case .notificationMemory(let limit, let used):
      return ZeroCopyError(
        .notificationMemoryLimit,
        "the notification memory of this socket (net.core.optmem_max) is \(limit) bytes, \(used) are used,"
          + " and \(pinned); flush, send more at a time, or raise it with 'sysctl -w net.core.optmem_max='",
        errno: .noBufferSpace, isSocketUsable: true)
    case .unknown:
      return ZeroCopyError(
        .system, "the kernel has no buffer space for a zero-copy send, and \(pinned); flush and try again",
        errno: .noBufferSpace, isSocketUsable: true)
    }
  }
}
