internal import CZeroCopy

/// A moment of the monotonic clock, or never.
struct Deadline: Sendable {
  private let nanoseconds: UInt64

  static let never = Deadline(nanoseconds: .max)

  private init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  /// - Parameter timeout: From now on; `nil` is never. A negative one has passed.
  init(after timeout: Duration?) {
    guard let timeout else {
      self = .never
      return
    }
    let (sum, overflow) = czc_now().addingReportingOverflow(timeout.wholeNanoseconds)
    nanoseconds = overflow ? .max : sum
  }

  var hasPassed: Bool { remaining == 0 }

  /// Nanoseconds from now until then, at most `slice`.
  func remaining(atMost slice: UInt64 = .max) -> UInt64 {
    if nanoseconds == .max { return slice }
    let now = czc_now()
    return now >= nanoseconds ? 0 : min(slice, nanoseconds - now)
  }

  private var remaining: UInt64 { remaining() }
}

extension Duration {
  /// Not below 0 and not above what 64 bits hold.
  var wholeNanoseconds: UInt64 {
    // Not by its components: those stop the program where the seconds need more than 64 bits.
    guard attoseconds > 0 else { return 0 }
    // Rounded up: one attosecond is a wait, and 0 would be none at all.
    return UInt64(clamping: (attoseconds - 1) / 1_000_000_000 + 1)
  }
}
