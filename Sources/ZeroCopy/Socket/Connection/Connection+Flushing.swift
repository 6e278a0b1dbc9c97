internal import CZeroCopy
internal import SystemPackage

extension Connection {
  @discardableResult
  mutating func flush(_ deadline: Deadline) throws(ZeroCopyError) -> FlushResult {
    let tailsEnd = hasTail ? try flushTail(deadline) : nil
    // Nothing was sent since the last flush: at once, without a system call.
    if account.inFlight.count == 0, tally.completed == 0, tailsEnd == nil { return takeTally() }
    let end = awaitRelease(deadline) { $0.count == 0 }
    noteLoss()
    let flushed = takeTally()
    do throws(ZeroCopyError) {
      if let tailsEnd { throw tailsEnd }
      try check(end, "flushing") {
        .timedOut("flushing", "the peer has not acknowledged; flush again, or abort\($0.heldInWords)")
      }
    } catch {
      throw error.adding(flushed: flushed, isSocketUsable: error.isSocketUsable && fate.loss == nil)
    }
    // Confirmed is not delivered (rule 10): a loss that no call has told yet is told here.
    if let loss = takeUntoldLoss("flushing") { throw loss.adding(flushed: flushed) }
    return flushed
  }

  /// Sends what is left of a buffer.
  /// - Returns: The loss that ended it: what is in flight still completes then.
  private mutating func flushTail(_ deadline: Deadline) throws(ZeroCopyError) -> ZeroCopyError? {
    do throws(ZeroCopyError) {
      try sendTail(.until(deadline))
      return nil
    } catch {
      if error.code == .connectionLost { return error }
      throw error.adding(flushed: takeTally())
    }
  }

  /// Borrowed memory: nothing from a send on may be in flight when the caller goes on. When the time is
  /// up the connection is given up for it, and the wait goes on until the last id is in (rule 25).
  /// - Returns: Whether the connection was given up.
  mutating func recall(from send: UInt64, _ deadline: Deadline) -> Bool {
    // A shutdown ends this wait, but the call throws something else: it is still to be told.
    let told = toldShutDowns
    if case .done = awaitRelease(deadline, { !$0.hasAny(from: send) }) { return false }
    toldShutDowns = told
    repeat {
      purge()
      let slice = Deadline(after: .seconds(1))
      let end = awaitRelease(slice, isLastResort: true) { !$0.hasAny(from: send) }
      // Where the wait itself fails, memory safety still outranks the bound.
      if case .failed = end { czc_pause(10_000_000) }
    } while account.inFlight.hasAny(from: send)
    return isPurged
  }

  mutating func close(_ deadline: Deadline) throws(ZeroCopyError) {
    guard !isClosed else { return }
    do throws(ZeroCopyError) {
      try flush(deadline)
    } catch {
      if account.inFlight.count == 0, !hasTail { tearDown() }
      throw error
    }
    tearDown()
  }

  mutating func abort() -> FlushResult {
    guard !isClosed else { return FlushResult() }
    purge()
    // Late ids were seen up to 0.75 s after an abort (rule 25).
    if account.inFlight.count > 0 {
      _ = awaitRelease(Deadline(after: .seconds(1)), isLastResort: true) { $0.count == 0 }
    }
    let result = takeTally()
    tearDown()
    return result
  }

  mutating func relinquish() throws(ZeroCopyError) -> CInt {
    try checkOpen()
    collect()
    guard account.inFlight.count == 0, !hasTail else {
      throw ZeroCopyError(
        .sendsInFlight,
        "\(account.inFlight.count) sends are in flight\(hasTail ? " and the rest of a buffer waits" : ""), and only this socket can follow them; flush first",
        isSocketUsable: true)
    }
    endUse()
    tellEnd()
    return descriptor.relinquish()
  }
}
