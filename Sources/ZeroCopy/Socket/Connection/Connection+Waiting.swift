internal import CZeroCopy
internal import SystemPackage

extension Connection {
  /// How a wait ended.
  enum WaitEnd {
    case done
    case timedOut
    /// The socket was shut down from elsewhere, and what was waited for may never come.
    case shutDown
    /// The wait itself failed.
    case failed(Errno)
  }

  /// Longer waits are cut into these, to look whether ids were lost meanwhile.
  private static var slice: UInt64 { 1_000_000_000 }

  /// Reaps, and waits, until `isEnough`.
  /// - Parameter isLastResort: Goes on after a shutdown too: for memory that must come back.
  mutating func awaitRelease(
    _ deadline: Deadline, isLastResort: Bool = false, _ isEnough: (borrowing InFlight<SendRecord>) -> Bool
  ) -> WaitEnd {
    while true {
      reap(untilEmpty: true)
      if isUncertain { settleIfAtRest() }
      if isEnough(inFlight) { return .done }
      if !isLastResort, takeShutDown() { return .shutDown }
      if deadline.hasPassed { return .timedOut }
      if let end = wait(deadline, writable: false) { return end }
    }
  }

  /// Waits until the socket is worth another try: it takes bytes again, or a slice of time has passed. What
  /// keeps it full may be a shortage of the whole system, whose end nothing announces.
  mutating func awaitRoom(_ deadline: Deadline) -> WaitEnd {
    if takeShutDown() { return .shutDown }
    if deadline.hasPassed { return .timedOut }
    let end = wait(deadline, writable: true)
    reap(untilEmpty: true)
    return end ?? .done
  }

  /// Opens what a wait needs, for callers who must not find out later that they cannot wait.
  mutating func openWaiter() -> Errno? {
    if waiter >= 0 { return nil }
    let result = czc_waiter_open(number)
    guard result >= 0 else { return Errno(rawValue: -result) }
    waiter = result
    return nil
  }

  /// Waits once, for at most a slice.
  /// - Returns: How the whole wait ended, or `nil`: look again.
  private mutating func wait(_ deadline: Deadline, writable: Bool) -> WaitEnd? {
    if let errno = openWaiter() { return .failed(errno) }
    if writable != waiterWantsWritable {
      let result = czc_waiter_want_writable(waiter, number, writable)
      guard result == 0 else { return .failed(Errno(rawValue: -result)) }
      waiterWantsWritable = writable
    }
    let events = czc_waiter_wait(waiter, deadline.remaining(atMost: Self.slice))
    if events < 0 {
      let errno = Errno(rawValue: -events)
      return errno == .interrupted ? nil : .failed(errno)
    }
    if events == 0 { settleIfAtRest() }
    if events & CInt(CZC_EVENT_HANGUP) != 0 { noteHangUp() }
    return nil
  }
}
