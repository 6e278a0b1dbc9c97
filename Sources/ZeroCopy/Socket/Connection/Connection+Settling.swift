internal import CZeroCopy

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
    var size = czc_notification_block_size()
    if size <= 0 { size = czc_notification_block_size_towards_peer(number) }
    if size > 0 { account.blockSize = size }
  }
}
