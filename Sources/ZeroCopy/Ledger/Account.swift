/// What a socket has in flight, whose the ids of notifications are, and how sure that is. What is released, held,
/// settled or learnt anew is decided here and nowhere else; the kernel's readings come in as values.
///
/// **Only an id's own notification releases its memory, once those below it are in.** In order, because then it does no
/// harm that a send took no id (rule 32): our numbers are ahead of the kernel's counter, and each send waits for a
/// later id than its own. What must never be is the contrary, a counter that is ahead of our numbers, and three things
/// keep it from handing out memory in flight:
///
/// - A call that failed is taken back only where it has surely taken no id (`hasSurelyTakenNone`). Where others may have
///   taken one meanwhile, what was in flight then waits until all of it is reported (`keepRefused`).
/// - A witness has to agree: what a TCP peer has not acknowledged is in flight, whatever ids have come; and of a
///   datagram socket that others may send on no more notification blocks may be out than sends of ours.
/// - An id that was never issued tells that the others were not ours either. From then on none is believed.
///
/// **Option memory is evidence, and no more than that** (rule 33): others may add to it and take away. It is an upper
/// bound of the blocks that are out: where it is less than one block, there is none, whoever has done what
/// (`Self.leastBlock`). What it was in the beginning counts only while nobody else has had the descriptor.
///
/// It makes no system call, never waits, and runs no code of a user's but what is handed to it.
package struct Account<Kept: AccountedSend & ~Copyable>: ~Copyable {
  package private(set) var inFlight = InFlight<Kept>()
  package internal(set) var certainty: Certainty
  var ids: SendIDs

  /// The option memory that the socket used before anything was sent; negative where it could not be read.
  package private(set) var optionMemoryAtRest: Int64
  /// Option memory of one notification block, once somebody has found out.
  package var blockSize: Int64?

  /// Whether an id has come that its witness does not agree with yet: look again, nothing announces when it does.
  package internal(set) var awaitsWitness = false
  /// Sends below this number are released together, once all of their ids are in.
  private var goTogether: UInt64 = 0
  /// The first of two readings that have to agree.
  var rest: FirstReading?
  /// Messages that were read off the error queue so far: a reading tells of the time since the last one.
  package private(set) var messagesRead = 0
  /// How often it has had to learn anew because ids were not its own, since it was last right for long.
  var relearnings = 0
  /// At how many sends it will have been right for long.
  var rightAt: UInt64 = 0

  /// No kernel's notification block takes less option memory: a socket buffer's own structures alone are more.
  package static var leastBlock: Int64 { 512 }

  /// - Parameters:
  ///   - hasHistory: Somebody may have sent from the socket before: where its counter stands has to be learnt (rule 6).
  ///   - countsIDs: A send may take several ids (rule 5).
  package init(hasHistory: Bool, countsIDs: Bool, optionMemoryAtRest: Int64) {
    certainty = hasHistory ? .learning(newest: nil) : .exact
    ids = SendIDs(next: 0, id: 0, areCounted: countsIDs)
    self.optionMemoryAtRest = optionMemoryAtRest
  }

  @inline(__always)
  package var countsIDs: Bool { ids.areCounted }

  @inline(__always)
  package var isExact: Bool {
    if case .exact = certainty { true } else { false }
  }

  @inline(__always)
  package var isLearning: Bool {
    if case .learning = certainty { true } else { false }
  }

  /// Nothing was ever sent from this socket: what it uses now is none of our blocks. But they may be those of others who
  /// have the descriptor, and then it is not what it uses at rest.
  package mutating func noteBeforeFirstSend(optionMemory: Int64, wasLent: Bool) {
    let more = optionMemory - optionMemoryAtRest
    let mayBeBlocks = more >= Self.leastBlock && more % (blockSize ?? more) == 0
    if !wasLent || !mayBeBlocks { optionMemoryAtRest = optionMemory }
  }

  // MARK: Sending

  /// Keeps what a send needs, before its call: its memory must be held, and its id known, when a notification is quick
  /// (rule 7).
  /// - Returns: The send's number.
  @inline(__always)
  package mutating func reserve(_ kept: consuming Kept) -> UInt64 { inFlight.reserve(kept) }

  /// Changes what is kept for the newest send: how much of it was accepted is known after the call.
  @inline(__always)
  package mutating func updateNewest(_ change: (inout Kept) -> Void) { inFlight.updateNewest(change) }

  /// The newest send's call has failed, and took no id.
  package mutating func takeBack() -> Kept? {
    let kept = inFlight.takeBack()
    ids.takeBack(next: inFlight.next)
    return kept
  }

  /// The newest send's call has failed, and its number stays: it has taken an id, or may have. If it took none, all that
  /// follow wait for one id more than their own, until everything is settled.
  /// - Parameter wasLent: The id that was reported may be another owner's, and those before it later ones than their
  ///   numbers say. All that were in flight then are done when this one and all below it are.
  package mutating func keepRefused(isReported: Bool, wasLent: Bool) {
    if !isReported { noteLack() }
    if wasLent { goTogether = inFlight.next }
  }

  /// The ids of sends may never come, and it is known why.
  mutating func noteLack() {
    switch certainty {
    case .exact: certainty = .uncertain
    case .learning(let newest, _): certainty = .learning(newest: newest, mayLack: true)
    case .uncertain, .mistrusted: break
    }
  }

  /// Whether the newest send, whose datagram was refused, has surely taken no id: as many sends are not reported
  /// without it as blocks may be out.
  /// - Parameter optionMemory: After the queue was read to its end.
  package func hasSurelyTakenNone(optionMemory: Int64) -> Bool {
    guard let blocks = mostBlocks(optionMemory) else { return false }
    return blocks <= unreported - 1
  }

  /// How many notification blocks are out at most, in flight and unread. `nil` where it cannot be told.
  func mostBlocks(_ optionMemory: Int64) -> Int? {
    optionMemory < 0 ? nil : Int(optionMemory / (blockSize ?? Self.leastBlock))
  }

  /// Sends in flight whose id has not come.
  private var unreported: Int { inFlight.count - held }

  /// Sends in flight whose id has come, and that wait for an earlier one, or for a witness. Where a send takes several
  /// ids, how many of those.
  package var held: Int {
    let behind = ids.done > inFlight.oldest ? Int(ids.done - inFlight.oldest) : 0
    return min(ids.waiting + behind, countsIDs ? .max : inFlight.count)
  }

  /// Whether a send is done, or its id has come and waits for an earlier one.
  package func isReported(_ send: UInt64) -> Bool {
    guard inFlight.isInFlight(send) else { return true }
    // The one that goes alone.
    if case .learning(let newest, _) = certainty { return newest != nil }
    return ids.isReported(send)
  }

  // MARK: Notifications

  /// So many messages were read off the error queue, some of which were too long to be read (rule 12): then ids are
  /// lost, and what they were of is held until it is settled.
  package mutating func noteRead(messages: Int, truncated: Int) {
    messagesRead += messages
    if truncated > 0 { noteLack() }
  }

  /// A notification has come. What it releases is released by `release`.
  package mutating func report(first: UInt32, last: UInt32) -> IDMeaning {
    switch certainty {
    case .mistrusted:
      return .ignored
    case .learning(let newest, let mayLack):
      // Before the first send of ours there is nothing of ours.
      guard inFlight.count > 0 else {
        certainty = .mistrusted
        return .neverIssued
      }
      let isLater = newest.map { Int32(bitPattern: last &- $0) > 0 } ?? true
      if isLater { certainty = .learning(newest: last, mayLack: mayLack) }
      return .new
    case .exact, .uncertain:
      let meaning = ids.report(first: first, last: last, next: inFlight.next)
      if meaning == .neverIssued { certainty = .mistrusted }
      return meaning
    }
  }

  /// Whether an id was reported that releases something, as far as ids go.
  package var hasNews: Bool {
    switch certainty {
    case .mistrusted: false
    case .learning(let newest, _): newest != nil
    case .exact, .uncertain: ids.done > inFlight.oldest && inFlight.count > 0 && ids.done >= goTogether
    }
  }

  /// Releases what was reported, oldest first, as far as the witness agrees.
  /// - Returns: How many were released.
  package mutating func release(_ witness: Witness, _ body: (consuming Kept) -> Void) -> Int {
    guard hasNews, !isLearning else { return 0 }
    let released: Int
    switch witness {
    case .unneeded:
      released = inFlight.releaseOldest(below: ids.done, while: { _ in true }, body)
    case .acknowledged(let position):
      released = inFlight.releaseOldest(below: ids.done, while: { $0.streamEnd <= position }, body)
    case .optionMemory(let used):
      guard let blocks = mostBlocks(max(0, used - max(0, optionMemoryAtRest))), blocks <= unreported else {
        // Others' blocks are out, or something else takes as much: one of the ids may have been theirs.
        certainty = .mistrusted
        return 0
      }
      // Where ids are lost, there are more that are not reported than there are blocks: only none is proof.
      awaitsWitness = blocks > 0 && certainty == .uncertain
      if awaitsWitness { return 0 }
      released = inFlight.releaseOldest(below: ids.done, while: { _ in true }, body)
    }
    awaitsWitness = hasNews
    if released > 0 { noteProgress() }
    return released
  }

  private mutating func noteProgress() {
    rest = nil
    if inFlight.oldest >= rightAt { relearnings = 0 }
    // Every number that was given out has been reported, so that none was lost and none held in vain.
    if inFlight.count == 0, case .uncertain = certainty { certainty = .exact }
  }

  /// Where one send takes several ids: counts, by the option memory, how many there are.
  /// - Parameter optionMemory: After the queue was read to its end, and unchanged while that was looked at.
  package mutating func count(optionMemory: Int64) {
    guard isExact, inFlight.count > 0, let blocks = mostBlocks(optionMemory) else { return }
    // Ids are lost: what is in flight stays held until it is settled.
    if !ids.count(unreported: blocks, next: inFlight.next) { noteLack() }
  }

  /// Takes out those of the sends that may go, whatever was reported: for good reason, or at the socket's end.
  @discardableResult
  package mutating func takeOut(
    where mayGo: (borrowing Kept) -> Bool = { _ in true }, _ body: (consuming Kept) -> Void
  ) -> Int {
    inFlight.release(where: mayGo, body)
  }
}

extension Account: Sendable where Kept: Sendable & ~Copyable {}
