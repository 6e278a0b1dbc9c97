internal import CZeroCopy
internal import SystemPackage

extension Connection {
  /// Reads notifications off the error queue and releases what they name. Never waits.
  /// - Parameter untilEmpty: Go on until the queue is empty; else one system call.
  /// - Returns: How many sends were released.
  @discardableResult
  mutating func reap(untilEmpty: Bool) -> Int {
    // Where zero copy is off the flag is ignored, and the call would eat stream data (rule 13). But what
    // was sent before it went off still completes.
    guard availability.isAvailable || inFlight.count > 0 else { return 0 }
    sendsSinceReap = 0
    let capacity = Int(CZC_MAX_NOTIFICATIONS)
    var released = 0
    var reaped = czc_reaped()
    repeat {
      // C writes at most `capacity` notifications, says how many, and keeps no pointer.
      unsafe withUnsafeTemporaryAllocation(of: czc_notification.self, capacity: capacity) { buffer in
        let result = unsafe czc_read_notifications(
          number, buffer.baseAddress, CInt(capacity), &reaped)
        guard result == 0 else { return }
        for index in 0..<Int(reaped.notifications) { unsafe released += release(buffer[index]) }
      }
      statistics.reaps += 1
      messagesRead += Int(reaped.messages)
      statistics.foreignMessages += Int(reaped.foreign)
      statistics.truncatedMessages += Int(reaped.truncated)
      // Ids are lost: hold everything until nothing at all is in flight (rule 12).
      if reaped.truncated > 0 { isUncertain = true }
      // A call that came back with room to spare has met the end of the queue.
    } while untilEmpty && Int(reaped.messages) == capacity
    if released > 0, telling != nil { tellProgress() }
    return released
  }

  private mutating func release(_ notification: czc_notification) -> Int {
    if isMistrusted { return 0 }
    // An unknown base is learnt from the first send, alone in flight (rule 6): where a block is still in use,
    // this is another owner's id, and the memory would come back early (rule 31).
    let isForeign =
      !ids.isKnown && !ids.areCounted && optionMemoryAtRest >= 0
      && czc_option_memory(number) != optionMemoryAtRest
    let meaning =
      isForeign
      ? .neverIssued
      : ids.meaning(
        first: notification.first, last: notification.last, outstanding: inFlight.outstanding)
    if ids.areCounted { return release(counted: meaning, notification) }
    switch meaning {
    case .sends(let range):
      let (released, sends) = release(range)
      if released == 0 { statistics.repeatedNotifications += 1 }
      policy.completed(sends, copied: notification.copied)
      if notification.copied { noteCopied(sends) }
      return released
    case .alreadyReleased:
      statistics.repeatedNotifications += 1
    case .held:
      break
    case .neverIssued:
      noteNeverIssued()
    }
    return 0
  }

  mutating func noteCopied(_ sends: Int) {
    statistics.copied += sends
    tally.copied += sends
  }

  /// Our count and the kernel's do not agree, and nothing that follows can be trusted either.
  mutating func noteNeverIssued() {
    statistics.unknownNotifications += 1
    if !isMistrusted, let telling { telling.observer.lostTrack(peer: telling.peer) }
    isMistrusted = true
    isUncertain = true
  }

  /// - Returns: How many ids were released, and how many of them were sends.
  mutating func release(_ range: Range<UInt64>) -> (released: Int, sends: Int) {
    var sends = 0
    var bytes = 0
    var cost = 0
    let released = inFlight.release(range) { record in
      bytes += record.bytes
      cost += record.cost
      if record.isSend { sends += 1 }
    }
    statistics.completed += sends
    statistics.bytesInFlight -= bytes
    budgetedBytes -= cost
    // What it held is free: a limit that was met may be over.
    copiesDue = 0
    tally.completed += sends
    return (released, sends)
  }

  /// How many notification blocks the socket has, in flight and unread, when nothing is unread: each is
  /// a send on UDP, which is never corked here, and an id on vsock (rule 31). `nil` where it cannot be told.
  mutating func notificationBlocks() -> Int? {
    while true {
      reap(untilEmpty: true)
      let used = czc_option_memory(number) - optionMemoryAtRest
      let read = messagesRead
      reap(untilEmpty: true)
      // What came meanwhile was still counted.
      if messagesRead != read { continue }
      guard optionMemoryAtRest >= 0, used >= 0 else { return nil }
      if used == 0 { return 0 }
      guard let size = notificationBlockSize(), used % size == 0 else { return nil }
      return Int(used / size)
    }
  }

  private mutating func notificationBlockSize() -> Int64? {
    if blockSize == nil {
      let size = czc_notification_block_size()
      if size > 0 { blockSize = size }
    }
    return blockSize
  }

  /// Nothing is in flight: learns anew what option memory the socket uses so. A filter, or a group that was
  /// joined, changes it; a change by whole blocks would be another owner's sends, and is not believed.
  mutating func noteRest() {
    guard !isUncertain, !isMistrusted, optionMemoryAtRest >= 0 else { return }
    let used = czc_option_memory(number)
    guard used >= 0, used != optionMemoryAtRest, let size = notificationBlockSize() else { return }
    if (used - optionMemoryAtRest) % size != 0 { optionMemoryAtRest = used }
  }

  /// Frees everything where the kernel's own count says that nothing is in flight and nothing unread
  /// (rule 31): the way out where ids were lost, were not to be trusted, or never came because somebody
  /// switched SO_ZEROCOPY off behind our back (rule 19).
  mutating func settleIfAtRest() {
    reap(untilEmpty: true)
    guard inFlight.count > 0 || isMistrusted else {
      isUncertain = false
      return
    }
    guard optionMemoryAtRest >= 0, czc_option_memory(number) == optionMemoryAtRest else { return }
    let read = messagesRead
    reap(untilEmpty: true)
    guard messagesRead == read else { return }
    statistics.settled += release(inFlight.outstanding).sends
    isUncertain = false
    isMistrusted = false
    // Sends that took no id have moved our numbers away from the kernel's: learn anew (rule 6).
    ids.restart()
    if availability.isAvailable, czc_zerocopy_enabled(number) != 1 {
      becomeUnavailable(.optionSwitchedOff)
    }
  }
}
