internal import CZeroCopy
internal import SystemPackage

extension Connection {
  mutating func flush(_ deadline: Deadline) throws(ZeroCopyError) -> FlushResult {
    guard inFlight.count > 0 else { return takeTally() }
    let end = awaitRelease(deadline) { $0.count == 0 }
    noteLoss()
    let flushed = takeTally()
    switch end {
    case .done: break
    case .timedOut:
      throw ZeroCopyError.timedOut("flushing", "the peer has not acknowledged; flush again, or abort")
        .adding(flushed: flushed, isSocketUsable: loss == nil)
    case .shutDown: throw ZeroCopyError.shutDown.adding(flushed: flushed)
    case .failed(let errno): throw ZeroCopyError.failure(errno, "flushing").adding(flushed: flushed)
    }
    // Confirmed is not delivered (rule 10): a loss that no call has told yet is told here.
    if let loss, !isLossTold {
      isLossTold = true
      throw ZeroCopyError.failure(loss, "flushing").adding(flushed: flushed)
    }
    return flushed
  }

  /// Borrowed memory in flight: it must be back before the caller goes on. When the time is up the
  /// connection is given up for it, and the wait goes on until the last id is in (rule 25).
  /// - Returns: Whether the connection had to be given up.
  mutating func recall(_ deadline: Deadline) -> Bool {
    if case .done = awaitRelease(deadline, { $0.count == 0 }) { return false }
    purge()
    _ = awaitRelease(.never, isLastResort: true) { $0.count == 0 }
    return true
  }

  mutating func close(_ deadline: Deadline) throws(ZeroCopyError) {
    guard !isClosed else { return }
    do throws(ZeroCopyError) {
      _ = try flush(deadline)
    } catch {
      if inFlight.count == 0 { tearDown() }
      throw error
    }
    tearDown()
  }

  mutating func abort() -> FlushResult {
    guard !isClosed else { return FlushResult() }
    purge()
    // Late ids were seen up to 0.75 s after an abort (rule 25).
    if inFlight.count > 0 {
      _ = awaitRelease(Deadline(after: .seconds(1)), isLastResort: true) { $0.count == 0 }
    }
    let result = takeTally()
    tearDown()
    return result
  }

  mutating func relinquish() throws(ZeroCopyError) -> CInt {
    try checkOpen()
    reap(untilEmpty: true)
    guard inFlight.count == 0 else {
      throw ZeroCopyError(
        .sendsInFlight,
        "\(inFlight.count) sends are in flight, and only this socket can follow them; flush first",
        isSocketUsable: true)
    }
    isClosed = true
    if waiter >= 0 { _ = czc_close(waiter) }
    waiter = -1
    return descriptor.relinquish()
  }
}
