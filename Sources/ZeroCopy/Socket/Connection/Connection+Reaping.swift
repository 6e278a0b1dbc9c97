internal import CZeroCopy
internal import SystemPackage

/// Reading the error queue, and what that releases. What an id means is the account's to decide.
extension Connection {
  /// Reads notifications off the error queue and releases what they name. Never waits.
  /// - Parameter untilEmpty: Go on until the queue is empty; else one system call.
  /// - Returns: How many sends were released.
  @discardableResult
  mutating func reap(untilEmpty: Bool) -> Int {
    readQueue(untilEmpty: untilEmpty)
    return account.hasNews ? releaseReported() : 0
  }

  /// Reads notifications, and releases nothing yet.
  mutating func readQueue(untilEmpty: Bool) {
    // Where zero copy never was on the flag is ignored, and the call would eat stream data (rule 13). But what
    // was sent before it went off still completes.
    guard availability.isAvailable || account.inFlight.next > 0 else { return }
    sendsSinceReap = 0
    let capacity = Int(CZC_MAX_NOTIFICATIONS)
    var reaped = czc_reaped()
    repeat {
      // C writes at most `capacity` notifications, says how many, and keeps no pointer.
      unsafe withUnsafeTemporaryAllocation(of: czc_notification.self, capacity: capacity) { buffer in
        let result = unsafe czc_read_notifications(
          number, buffer.baseAddress, CInt(capacity), &reaped)
        guard result == 0 else { return }
        for index in 0..<Int(reaped.notifications) { unsafe note(buffer[index]) }
      }
      statistics.reaps += 1
      statistics.foreignMessages += Int(reaped.foreign)
      statistics.truncatedMessages += Int(reaped.truncated)
      account.noteRead(messages: Int(reaped.messages), truncated: Int(reaped.truncated))
      // A call that came back with room to spare has met the end of the queue.
    } while untilEmpty && Int(reaped.messages) == capacity
  }

  private mutating func note(_ notification: czc_notification) {
    switch account.report(first: notification.first, last: notification.last) {
    case .new:
      let count = Int(notification.last &- notification.first) + 1
      reportedIDs.all += count
      if notification.copied { reportedIDs.copied += count }
    case .alreadyReported:
      statistics.repeatedNotifications += 1
    case .neverIssued:
      statistics.unknownNotifications += 1
      if let telling { telling.observer.lostTrack(peer: telling.peer) }
    case .ignored:
      break
    }
  }

  /// Releases what was reported, where its witness agrees.
  /// - Returns: How many sends.
  @discardableResult
  mutating func releaseReported() -> Int {
    if account.isLearning, !account.learn(optionMemory: czc_option_memory(number), wasLent: descriptor.isLent)
    {
      return 0
    }
    guard let witness = askWitness() else { return 0 }
    var sum = Released()
    var released = account.release(witness) { sum.add($0) }
    if account.awaitsWitness, case .acknowledged(let position) = witness {
      released += account.release(lateWitness(position)) { sum.add($0) }
    }
    if released > 0 { complete(sum, ids: released) }
    return released
  }

  /// What has to agree with ids that came; `nil` where it cannot be asked now.
  private mutating func askWitness() -> Witness? {
    if facts.is_tcp {
      let left = czc_unacknowledged(number)
      // Where that is refused, the ids have to do.
      return left < 0 ? .unneeded : .acknowledged(UInt64(max(0, statistics.bytes - Int(left))))
    }
    guard isDatagram, !account.countsIDs, descriptor.isLent else { return .unneeded }
    return quietOptionMemory().map { .optionMemory($0) }
  }

  /// The same of TCP, where ids came for what does not seem to be acknowledged: a connection that is over acknowledges
  /// nothing more, and the end of our stream counts as a byte.
  private func lateWitness(_ position: UInt64) -> Witness {
    if isPurged || czc_tcp_is_closed(number) == 1 { return .unneeded }
    return .acknowledged(czc_tcp_we_have_ended(number) == 1 ? position + 1 : position)
  }

  /// What sends were released together.
  struct Released {
    var sends = 0
    var bytes = 0
    var cost = 0

    mutating func add(_ record: consuming SendRecord) {
      bytes += record.bytes
      cost += record.cost
      if record.isSend { sends += 1 }
    }
  }

  /// - Parameter ids: How many were released, those of calls that failed included.
  mutating func complete(_ released: Released, ids: Int) {
    noteEnd(of: released.bytes, cost: released.cost)
    statistics.completed += released.sends
    tally.completed += released.sends
    if released.sends > 0 { noteCopied(of: released.sends, ids) }
    if telling != nil { tellProgress() }
  }

  /// Of sends that are released together as many count as copied as of the ids that were reported meanwhile.
  private mutating func noteCopied(of sends: Int, _ ids: Int) {
    let copied = min(sends, sends * reportedIDs.copied / max(1, reportedIDs.all))
    statistics.copied += copied
    tally.copied += copied
    policy.completed(sends, copied: 2 * reportedIDs.copied > reportedIDs.all)
    // Others are reported, and still held.
    let left = account.held > 0 && !account.countsIDs ? max(0, reportedIDs.all - ids) : 0
    reportedIDs = (left, min(left, max(0, reportedIDs.copied - copied)))
  }

  mutating func noteEnd(of bytes: Int, cost: Int) {
    statistics.bytesInFlight -= bytes
    budgetedBytes -= cost
    // What it held is free: a limit that was met may be over.
    copiesDue = 0
    lookDelay = Self.leastLookDelay
  }
}
