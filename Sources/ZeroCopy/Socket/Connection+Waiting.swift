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
      if !isLastResort, descriptor.wasShutDown || wasShutDownElsewhere { return .shutDown }
      if deadline.hasPassed { return .timedOut }
      if let end = wait(deadline, writable: false) { return end }
    }
  }

  /// Waits until the socket takes bytes again, reaping meanwhile.
  mutating func awaitRoom(_ deadline: Deadline) -> WaitEnd {
    while true {
      if descriptor.wasShutDown || wasShutDownElsewhere { return .shutDown }
      if deadline.hasPassed { return .timedOut }
      if let end = wait(deadline, writable: true) {
        reap(untilEmpty: true)
        return end
      }
      reap(untilEmpty: true)
    }
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
    return writable && events & CInt(CZC_EVENT_WRITABLE) != 0 ? .done : nil
  }

  /// Both directions are shut. After our own `finishWriting` that is the ordinary end, and ids still
  /// come (rule 14); after a reset they come too. Else somebody else has done it.
  private mutating func noteHangUp() {
    noteLoss()
    if loss == nil, !hasFinishedWriting, !isPurged { wasShutDownElsewhere = true }
  }

  /// Asks whether the connection has failed, and keeps the answer, which the kernel gives only once.
  /// Not for datagrams: there it answers an earlier one, and the next send tells.
  mutating func noteLoss() {
    guard loss == nil, !isPurged, !isDatagram else { return }
    let error = czc_take_error(number)
    if error > 0 { loss = Errno(rawValue: error) }
  }
}
