internal import CZeroCopy

/// vsock, where one send takes several ids (rule 5): counting them (rule 31), so that each send's end is known.
extension Connection {
  /// Releases whatever can be: reads the queue to its end, counts the ids where one send takes several, and looks
  /// whether everything is at rest where ids cannot be trusted. Never waits.
  /// - Returns: How many sends were released.
  @discardableResult
  mutating func collect() -> Int {
    let before = inFlight.count
    reap(untilEmpty: true)
    if ids.areCounted { count() }
    if isUncertain { settleIfAtRest() }
    return before - inFlight.count
  }

  /// Counts the ids, and releases what that tells. Two reads of the error queue and a `getsockopt`, about a tenth of
  /// a send of 64 KiB: when something is wanted, and every few sends, because what was sent between two counts
  /// is released together.
  mutating func count() {
    guard inFlight.count > 0, !isUncertain, let blocks = notificationBlocks() else { return }
    // Reading the queue may have found an id that was never issued.
    guard !isUncertain else { return }
    switch ids.settle(unreported: blocks, outstanding: inFlight.outstanding) {
    case .sends(let range): release(counted: range)
    case .alreadyReleased, .held: break
    // Ids are lost: what is in flight stays held until everything is at rest.
    case .neverIssued: isUncertain = true
    }
  }

  /// - Returns: How many sends were released.
  mutating func release(counted meaning: WireIDs.Meaning, _ notification: czc_notification) -> Int {
    let count = Int(notification.last &- notification.first) + 1
    switch meaning {
    case .sends(let range):
      noteReported(count, copied: notification.copied)
      return release(counted: range)
    case .held:
      noteReported(count, copied: notification.copied)
    case .alreadyReleased:
      statistics.repeatedNotifications += 1
    case .neverIssued:
      noteNeverIssued()
    }
    return 0
  }

  private mutating func noteReported(_ count: Int, copied: Bool) {
    reportedIDs.all += count
    if copied { reportedIDs.copied += count }
  }

  /// Of sends that are released together as many count as copied as of the ids that were reported meanwhile.
  @discardableResult
  private mutating func release(counted range: Range<UInt64>) -> Int {
    let (released, sends) = release(range)
    if reportedIDs.copied > 0 { noteCopied(sends * reportedIDs.copied / reportedIDs.all) }
    if sends > 0 { policy.completed(sends, copied: 2 * reportedIDs.copied > reportedIDs.all) }
    reportedIDs = (0, 0)
    return released
  }
}
