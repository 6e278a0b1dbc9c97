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
    var sum = Released()
    let acknowledged = askWitness()
    var released = account.release(acknowledged) { sum.add($0) }
    if account.awaitsWitness, case .acknowledged(let position) = acknowledged {
      released += account.release(lateWitness(position)) { sum.add($0) }
    }
    if released > 0 { complete(sum, ids: released) }
    return released
  }

  /// What has to agree with ids that came.
  private mutating func askWitness() -> Witness {
    if facts.is_tcp {
      let left = czc_unacknowledged(number)
      // Where that is refused, the ids have to do.
      return left < 0 ? .none : .acknowledged(UInt64(max(0, statistics.bytes - Int(left))))
    }
    guard isDatagram, !account.countsIDs, descriptor.isLent else { return .none }
    return quietOptionMemory().map { .optionMemory($0) } ?? .none
  }

  /// The same of TCP, where ids came for what does not seem to be acknowledged: a connection that is over acknowledges
  /// nothing more, and the end of our stream counts as a byte.
  private func lateWitness(_ position: UInt64) -> Witness {
    if isPurged || czc_tcp_is_closed(number) == 1 { return .none }
    return .acknowledged(czc_tcp_we_have_ended(number) == 1 ? position + 1 : position)
  }

  /// What sends were released together.
  private struct Released {
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
  private mutating func complete(_ released: Released, ids: Int) {
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

  private mutating func noteEnd(of bytes: Int, cost: Int) {
    statistics.bytesInFlight -= bytes
    budgetedBytes -= cost
    // What it held is free: a limit that was met may be over.
    copiesDue = 0
    lookDelay = Self.leastLookDelay
  }
}

/// Settling what ids do not say.
extension Connection {
  /// Releases whatever can be: reads the queue to its end, counts the ids where one send takes several, and looks
  /// whether everything is at rest where something has to be settled. Never waits.
  /// - Returns: How many sends were released.
  @discardableResult
  mutating func collect() -> Int {
    let before = account.inFlight.count
    reap(untilEmpty: true)
    if account.countsIDs { count() }
    if account.wantsLook { look() }
    return before - account.inFlight.count
  }

  /// Counts the ids, and releases what that tells. Two reads of the error queue and a `getsockopt`, about a tenth of
  /// a send of 64 KiB: when something is wanted, and every few sends, because what was sent between two counts
  /// is released together.
  mutating func count() {
    guard account.inFlight.count > 0, account.isExact, let memory = quietOptionMemory() else { return }
    account.count(optionMemory: memory)
    if account.hasNews { releaseReported() }
  }

  /// Option memory when nothing is unread: it counts the blocks that are in flight (rule 31). `nil` where the queue
  /// does not come to its end.
  mutating func quietOptionMemory() -> Int64? {
    learnBlockSize()
    // Others may fill the queue for ever: with time stamps, with what the network says.
    for _ in 0..<16 {
      readQueue(untilEmpty: true)
      let used = czc_option_memory(number)
      let read = account.messagesRead
      readQueue(untilEmpty: true)
      // What came meanwhile was still counted.
      if account.messagesRead == read { return used < 0 ? nil : used }
    }
    return nil
  }

  /// Looks, after the queue, at what else the kernel says, and lets the account settle what can be.
  mutating func look() {
    reap(untilEmpty: true)
    guard account.inFlight.count > 0 || account.wantsLook else { return }
    if account.isLearning, account.hasNews, releaseReported() > 0 { return }
    learnBlockSize()
    if account.awaitsWitness, releaseReported() > 0, account.inFlight.count == 0 { return }
    let reading = RestReading(
      at: czc_now(), optionMemory: czc_option_memory(number), isAcknowledged: isAcknowledged,
      isOptionOn: czc_zerocopy_enabled(number) != 0, wasLent: descriptor.isLent)
    var sum = Released()
    var givenUp = GivenUp()
    let settlement = account.settle(reading) { record, isOut in
      if isOut { givenUp.add(record) } else { sum.add(record) }
    }
    if settlement.released > 0 {
      statistics.settled += sum.sends
      complete(sum, ids: settlement.released)
    }
    if settlement.givenUp > 0 {
      noteEnd(of: givenUp.bytes, cost: givenUp.cost)
      note(givenUp)
    }
    switch settlement.consequence {
    case .none: break
    case .optionIsOff: becomeUnavailable(.optionSwitchedOff)
    case .neverNotified: becomeUnavailable(.neverNotified)
    case .foreignIDs: becomeUnavailable(.foreignNotifications)
    }
    if settlement.givenUp > 0, telling != nil { tellProgress() }
  }

  /// Whether nothing is left that the peer could acknowledge, or that has not left yet.
  private var isAcknowledged: Bool {
    let left = czc_unacknowledged(number)
    guard facts.is_tcp, left > 0 else { return left <= 0 || account.countsIDs }
    return isPurged || czc_tcp_is_closed(number) == 1 || (left == 1 && czc_tcp_we_have_ended(number) == 1)
  }

  /// How long to wait before the next look. What is in flight although all is acknowledged may never be notified, and
  /// nothing announces what a look would find; else a notification does.
  mutating func nextLookDelay() -> UInt64 {
    guard account.inFlight.count > 0, account.wantsLook || isAcknowledged else { return Self.mostLookDelay }
    defer { lookDelay = min(2 * lookDelay, Self.mostLookDelay) }
    return lookDelay
  }

  static var leastLookDelay: UInt64 { 2_000_000 }
  static var mostLookDelay: UInt64 { 1_000_000_000 }

  mutating func learnBlockSize() {
    guard account.blockSize == nil, !hasAskedBlockSize else { return }
    hasAskedBlockSize = true
    let size = czc_notification_block_size(number)
    if size > 0 { account.blockSize = size }
  }
}
