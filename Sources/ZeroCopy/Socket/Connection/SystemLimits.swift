internal import CZeroCopy

/// What the system lets this process pin, as it is now.
package struct SystemLimits: Sendable {
  /// RLIMIT_MEMLOCK in bytes, `nil` for none. It counts per user, over all sockets and processes.
  package var lockedMemory: Int64?
  /// Whether CAP_IPC_LOCK in the initial user namespace lifts that limit for this process (rule 16).
  package var isLockedMemoryLifted: Bool
  /// net.core.optmem_max of this network namespace, in bytes for each socket; `nil` where it cannot be
  /// read (rule 17).
  package var optionMemory: Int64?

  /// The same, also where it cannot be read: before 6.8 only the system's first network shows it, and 20 KiB were
  /// usual.
  var assumedOptionMemory: Int64 { optionMemory ?? 20_480 }

  /// The largest notification block of the kernels known is 896 bytes.
  static let largestNotificationBlock: Int64 = 1024

  package static var current: SystemLimits {
    let locked = czc_locked_memory_limit()
    let option = czc_option_memory_limit()
    return SystemLimits(
      lockedMemory: locked < 0 || locked == .max ? nil : locked,
      isLockedMemoryLifted: czc_locked_memory_unlimited() == 1,
      optionMemory: option < 0 ? nil : option)
  }

  /// What a send of so many bytes counts against the locked-memory limit (rule 16).
  package static func lockedMemory(ofSend byteCount: Int) -> Int64 {
    (Int64(byteCount) / pageSize + 2) * pageSize
  }

  /// Bytes of a page: 4,096 as a rule, and on some machines 65,536.
  package static let pageSize = Int64(czc_page_size())
}
