internal import CZeroCopy
internal import SystemPackage

extension Connection {
  /// How a wait ended.
  enum WaitEnd {
    case done
    case timedOut
    /// The socket was shut down from elsewhere, and what was waited for may never come.
    case shutDown
    /// The peer acknowledges fewer bytes a second than `Configuration.leastRate`.
    case tooSlow
    /// The wait itself failed.
    case failed(Errno)
  }

  /// Throws what a call has to throw whose wait has ended so.
  mutating func check(
    _ end: WaitEnd, _ doing: String, timedOut: (borrowing Connection) -> ZeroCopyError
  ) throws(ZeroCopyError) {
    switch end {
    case .done: return
    case .timedOut: throw timedOut(self)
    case .shutDown: throw .shutDown
    case .tooSlow: throw .tooSlow(doing, configuration.leastRate ?? 0)
    case .failed(let errno): throw failure(errno, doing)
    }
  }

  /// Waits are cut into these, where nothing says that another socket or thread has given something back.
  private static var deafSlice: UInt64 { 10_000_000 }

  /// Reaps, and waits, until `isEnough`.
  /// - Parameter isLastResort: Goes on after a shutdown too: for memory that must come back.
  mutating func awaitRelease(
    _ deadline: Deadline, isLastResort: Bool = false, _ isEnough: (borrowing InFlight<SendRecord>) -> Bool
  ) -> WaitEnd {
    while true {
      collect()
      if isEnough(account.inFlight) { return .done }
      if !isLastResort, takeShutDown() { return .shutDown }
      if deadline.hasPassed { return .timedOut }
      if let end = wait(deadline, writable: false) {
        // What must come back is waited for, however slow the peer.
        if isLastResort, case .tooSlow = end { continue }
        return end
      }
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

  /// Reaps, in batches (rule 8), and waits until a pool has a buffer.
  mutating func awaitBuffer(from pool: BufferPool, _ deadline: Deadline) throws(ZeroCopyError) -> SendBuffer {
    reap(untilEmpty: false)
    if account.countsIDs { count() }
    if let buffer = pool.take() { return buffer }
    if let errno = openWaiter() { throw failure(errno, "waiting for a buffer") }
    let bell = hear(pool.returns)
    defer { unhear(pool.returns, bell) }
    while true {
      // It holds a buffer, too.
      try sendTailIfPossible()
      collect()
      if let buffer = pool.take() { return buffer }
      if takeShutDown() { throw .shutDown }
      if deadline.hasPassed { throw bufferTimedOut }
      if let end = wait(deadline, writable: hasTail, hears: bell) {
        try check(end, "waiting for a buffer") { $0.bufferTimedOut }
      }
    }
  }

  /// From now on a wait ends with a ring, too. Look once more for what is waited for after this.
  /// - Returns: The bell's descriptor, -1 where there is none.
  func hear(_ bell: Bell) -> CInt {
    let number = bell.listen()
    return number >= 0 && czc_waiter_hear(waiter, number, true) == 0 ? number : -1
  }

  func unhear(_ bell: Bell, _ number: CInt) {
    if number >= 0 { _ = czc_waiter_hear(waiter, number, false) }
    bell.leave()
  }

  /// Opens what a wait needs, for callers who must not find out later that they cannot wait.
  mutating func openWaiter() -> Errno? {
    if waiter >= 0 { return nil }
    let result = czc_waiter_open(number)
    guard result >= 0 else { return Errno(rawValue: -result) }
    waiter = result
    return nil
  }

  /// Waits once, for as long as nothing has to be looked at.
  /// - Parameter hears: The bell that ends the wait as well; -1 where one was to be had and is not, `nil` where none
  ///   is needed.
  /// - Returns: How the whole wait ended, or `nil`: look again.
  mutating func wait(_ deadline: Deadline, writable: Bool, hears: CInt? = nil) -> WaitEnd? {
    if let errno = openWaiter() { return .failed(errno) }
    if writable != waiterWantsWritable {
      let result = czc_waiter_want_writable(waiter, number, writable)
      guard result == 0 else { return .failed(Errno(rawValue: -result)) }
      waiterWantsWritable = writable
    }
    let lookDelay = nextLookDelay()
    let slice = deadline.remaining(atMost: hears == -1 ? min(Self.deafSlice, lookDelay) : lookDelay)
    let begin = configuration.leastRate == nil ? 0 : czc_now()
    let events = czc_waiter_wait(waiter, slice)
    if events < 0 {
      let errno = Errno(rawValue: -events)
      return errno == .interrupted ? nil : .failed(errno)
    }
    if events == 0 { look() }
    if events & CInt(CZC_EVENT_HANGUP) != 0 { noteHangUp() }
    if let leastRate = configuration.leastRate, isTooSlow(leastRate, waited: czc_now() - begin) {
      return .tooSlow
    }
    return nil
  }

  private mutating func isTooSlow(_ leastRate: Int, waited: UInt64) -> Bool {
    let left = max(0, czc_unacknowledged(number))
    return rate.isTooSlow(
      leastRate: leastRate, waited: waited, acknowledged: statistics.bytes - Int(left), hasMore: left > 0)
  }

  private var bufferTimedOut: ZeroCopyError {
    .timedOut(
      "waiting for a buffer", "all of the pool are in use; wait again, or abort\(heldInWords)")
  }
}
