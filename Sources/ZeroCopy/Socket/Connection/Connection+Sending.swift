internal import CZeroCopy
internal import SystemPackage

/// Memory for one `sendmsg`.
@unsafe struct Pieces {
  let start: UnsafePointer<czc_buffer>?
  let count: CInt
  /// Of all of them.
  let byteCount: Int
}

extension Connection {
  /// How a write waits where the socket is full.
  enum Waiting {
    /// As the descriptor says: in the kernel where it is blocking, else not at all.
    case asDescriptor
    /// Here, whatever the descriptor says.
    case until(Deadline)

    /// Not at all.
    static var atOnce: Waiting { .until(Deadline(after: .zero)) }
  }

  /// What one `sendmsg` came to.
  enum Attempt {
    case accepted(Int)
    /// - Parameter hasDrained: Reading the queue has released something since: it is worth a retry.
    case shortage(Shortage, hasDrained: Bool = false)
    case failed(Errno)
  }

  /// Sends once, whole or in part, behind what is left of an earlier buffer.
  mutating func write(
    _ pieces: Pieces, mode: WriteMode, waiting: Waiting
  ) throws(ZeroCopyError) -> Int {
    if hasTail { try sendTail(waiting) }
    return unsafe try writeNow(pieces, mode: mode, waiting: waiting)
  }

  /// Sends once, whole or in part.
  mutating func writeNow(
    _ pieces: Pieces, mode: WriteMode, waiting: Waiting
  ) throws(ZeroCopyError) -> Int {
    let waiting = watched(waiting)
    guard mode == .automatic, unsafe pieces.count > 1, facts.is_tcp, let mix = unsafe Mix(pieces) else {
      let zeroCopy = unsafe try chooses(mode, byteCount: pieces.byteCount)
      return unsafe try write(pieces, zeroCopy: zeroCopy, mode, waiting)
    }
    guard unsafe try chooses(mode, byteCount: mix.largeByteCount) else {
      return unsafe try write(pieces, zeroCopy: false, mode, waiting)
    }
    return unsafe try writeMixed(mix, waiting)
  }

  /// Sends once, in the way that was chosen.
  @inline(__always)
  mutating func write(
    _ pieces: Pieces, zeroCopy: Bool, _ mode: WriteMode, _ waiting: Waiting
  ) throws(ZeroCopyError) -> Int {
    let attempt = unsafe attempt(pieces, zeroCopy: zeroCopy, waiting)
    if case .accepted(let count) = attempt { return accepts(count, mode) }
    return unsafe try persist(after: attempt, pieces, zeroCopy: zeroCopy, mode, waiting)
  }

  /// Where `leastRate` is to be watched: in the kernel nobody would see how fast the peer is.
  @inline(__always)
  func watched(_ waiting: Waiting) -> Waiting {
    if case .asDescriptor = waiting, configuration.leastRate != nil, czc_is_nonblocking(number) == 0 {
      return .until(Deadline(after: configuration.writeTimeout))
    }
    return waiting
  }

  /// Goes on after a first attempt that was not accepted. Kept apart, because most sends never come here.
  @inline(never)
  mutating func persist(
    after first: Attempt, _ pieces: Pieces, zeroCopy: Bool, _ mode: WriteMode, _ waiting: Waiting
  ) throws(ZeroCopyError) -> Int {
    var zeroCopy = zeroCopy
    var attempt = first
    var patience = waiting.patience(configuration.writeTimeout)
    // Over all retries: what others give back, others may take before us.
    var limit: Deadline?
    while true {
      switch attempt {
      case .accepted(let count):
        return accepts(count, mode)
      case .shortage(let shortage, let hasDrained):
        if !hasDrained {
          zeroCopy = unsafe try relieves(shortage, byteCount: pieces.byteCount, mode, waiting, &limit)
        }
        if !zeroCopy { unsafe fallBack(shortage, byteCount: pieces.byteCount) }
      case .failed(.interrupted):
        guard patience.isLeft else { throw timedOut() }
      case .failed(.resourceTemporarilyUnavailable):
        try waitForRoom(waiting)
      case .failed(.notSupportedOnSocket) where zeroCopy:
        // Kernel TLS was switched on since (rule 20).
        becomeUnavailable(.upperLayerProtocol)
        zeroCopy = unsafe try chooses(mode, byteCount: pieces.byteCount)
      case .failed(.messageTooLong) where zeroCopy && mode == .automatic,
        .failed(.badAddress) where zeroCopy && mode == .automatic:
        // What can still be copied: a datagram of more pieces than fit its fragments, 17 as a rule; memory that can be
        // read and not pinned, secret memory or a device's (rule 36).
        zeroCopy = false
        fallBack()
      case .failed(let errno):
        throw unsafe datagramRefusal(errno, byteCount: pieces.byteCount) ?? failure(errno)
      }
      attempt = unsafe self.attempt(pieces, zeroCopy: zeroCopy, waiting)
    }
  }

  // Inlined, because a call and its results cost a fifth of what the library adds to a send.
  @inline(__always)
  private mutating func attempt(_ pieces: Pieces, zeroCopy: Bool, _ waiting: Waiting) -> Attempt {
    guard zeroCopy else {
      if statistics.sends >= sendsToLook { lookAround() }
      return unsafe attemptCopy(pieces, waiting)
    }
    if account.countsIDs { return unsafe attemptPacket(pieces, waiting) }
    if account.inFlight.count > 0 || !account.isExact,
      let hindrance = unsafe hindrance(byteCount: pieces.byteCount)
    {
      return .shortage(hindrance)
    }
    if let budget = configuration.budget { return unsafe attempt(pieces, within: budget, waiting) }
    return unsafe attemptZeroCopy(pieces, waiting, nil)
  }

  private mutating func accepts(_ count: Int, _ mode: WriteMode) -> Int {
    statistics.sends += 1
    statistics.bytes += count
    if mode == .automatic { policy.accepted(count) }
    return count
  }

  /// What keeps a zero-copy send from being tried at all.
  @inline(__always)
  mutating func hindrance(byteCount: Int) -> Shortage? {
    if !account.isExact, mustGoAlone() { return .unknownBase }
    guard account.inFlight.count > 0 else { return nil }
    if let limit = configuration.maximumBytesInFlight, statistics.bytesInFlight + byteCount > limit {
      return .ownLimit
    }
    return account.inFlight.count > Self.mostHeld && account.held > Self.mostHeld ? .straggler : nil
  }

  /// Behind one send that is late at most so many that were reported are held: each takes memory.
  private static var mostHeld: Int { 65_536 }

  /// Whether it is not known where the kernel's counter stands, so that a send has to wait for those before it.
  @inline(never)
  private mutating func mustGoAlone() -> Bool {
    if account.certainty == .mistrusted { look() }
    return account.certainty == .mistrusted || (account.isLearning && account.inFlight.count > 0)
  }

  @inline(__always)
  private func transmit(_ pieces: Pieces, _ flags: CInt) -> Int64 {
    let flags = flags | moreFlag
    guard segments.ofCall == 0 else {
      return unsafe czc_send_segments(number, pieces.start, pieces.count, flags, segments.ofCall)
    }
    return unsafe czc_send(number, pieces.start, pieces.count, flags)
  }

  func attemptCopy(_ pieces: Pieces, _ waiting: Waiting) -> Attempt {
    let result = unsafe transmit(pieces, waiting.flags)
    if result >= 0 { return .accepted(Int(result)) }
    return .failed(Errno(rawValue: CInt(-result)))
  }

  mutating func attemptZeroCopy(
    _ pieces: Pieces, _ waiting: Waiting, _ budget: consuming BudgetShare?
  ) -> Attempt {
    if account.inFlight.count == 0 { noteBeforeFirstSend() }
    // Before the call: the memory must be held, and the id known, when a notification is quick (rule 7).
    let send = unsafe account.reserve(
      SendRecord(
        bytes: pieces.byteCount, start: statistics.bytes,
        keeping: lending.keep(forSendOf: pieces.byteCount), budget: budget))
    let flags = waiting.flags | CInt(CZC_SEND_ZEROCOPY)
    let result = unsafe transmit(pieces, flags)
    if unsafe result != pieces.byteCount { lendAgain(accepted: max(0, Int(result))) }
    guard result >= 0 else { return refused(send, Errno(rawValue: CInt(-result))) }
    let accepted = Int(result)
    statistics.zeroCopySends += 1
    statistics.zeroCopyBytes += accepted
    statistics.bytesInFlight += accepted
    // Read late, read few (rule 8).
    sendsSinceReap += 1
    if sendsSinceReap >= 64 { reap(untilEmpty: false) }
    return .accepted(accepted)
  }

  /// What was set before zero copy began takes no part in what follows.
  @inline(never)
  mutating func noteBeforeFirstSend() {
    guard account.inFlight.next == 0, account.isExact else { return }
    // Where others have had the descriptor, they may have sent as well.
    if descriptor.isLent { reap(untilEmpty: true) }
    let used = czc_option_memory(number)
    if descriptor.isLent, used > account.optionMemoryAtRest { learnBlockSize() }
    account.noteBeforeFirstSend(optionMemory: used, wasLent: descriptor.isLent)
  }

  /// The newest send has taken only a part, or nothing: what it keeps is needed for what follows, too.
  @inline(never)
  private mutating func lendAgain(accepted: Int) {
    var keeping = Keeping.callersMemory
    account.updateNewest {
      $0.bytes = accepted
      keeping = $0.keeping.another()
    }
    lending.keeping = keeping
  }

  /// Makes room after a shortage: drains, then waits where that is allowed.
  /// - Returns: Whether to try zero copy again; else to copy.
  private mutating func relieves(
    _ shortage: Shortage, byteCount: Int, _ mode: WriteMode, _ waiting: Waiting, _ limit: inout Deadline?
  ) throws(ZeroCopyError) -> Bool {
    // No limit that draining could mend, but a copy may pass.
    if case .droppedDatagram = shortage, mode == .automatic { return false }
    if case .droppedDatagram = shortage { throw shortageError(shortage, byteCount: byteCount) }
    let wasExact = account.isExact
    if collect() > 0 || (!wasExact && account.isExact) {
      limit = nil
      return true
    }
    if mode == .automatic {
      // It will not be over with the next send: do not pay for finding out each time. Where we are told when it is,
      // look sooner: a release ends this, but is not seen before somebody reaps.
      copiesDue = shortage.isOurs ? 4 : 32
      return false
    }
    let deadline: Deadline
    switch waiting {
    case .until(let given): deadline = given
    case .asDescriptor where czc_is_nonblocking(number) == 1:
      throw shortageError(shortage, byteCount: byteCount)
    case .asDescriptor:
      deadline = limit ?? Deadline(after: configuration.writeTimeout)
      limit = deadline
    }
    // With nothing in flight nothing will ever be released, and waiting waits for ever (rule 18).
    let inFlightNow = account.inFlight.count
    let end: WaitEnd
    if case .sharedBudget(let cost) = shortage {
      end = awaitBudget(cost, deadline)
    } else {
      guard inFlightNow > 0 else { throw shortageError(shortage, byteCount: byteCount) }
      end = awaitRelease(deadline) { $0.count < inFlightNow }
    }
    try check(end, "writing") { $0.shortageError(shortage, byteCount: byteCount) }
    return true
  }

  /// The descriptor is full: waits for room, or throws.
  private mutating func waitForRoom(_ waiting: Waiting) throws(ZeroCopyError) {
    switch waiting {
    case .asDescriptor:
      // Asked now and not remembered: another owner may have changed it. A blocking descriptor answers
      // EAGAIN when SO_SNDTIMEO has passed.
      throw czc_is_nonblocking(number) == 1 ? .wouldBlock : timedOut()
    case .until(let deadline):
      try check(awaitRoom(deadline), "writing") { $0.timedOut() }
    }
  }

  private func timedOut() -> ZeroCopyError {
    .timedOut("writing", "the peer has taken nothing; try again, or abort")
  }
}

extension Connection.Waiting {
  var flags: CInt {
    switch self {
    case .asDescriptor: 0
    case .until: CInt(CZC_SEND_DONTWAIT)
    }
  }

  fileprivate func patience(_ writeTimeout: Duration?) -> Patience {
    switch self {
    case .asDescriptor: Patience(writeTimeout)
    case .until(let deadline): Patience(until: deadline)
    }
  }
}
