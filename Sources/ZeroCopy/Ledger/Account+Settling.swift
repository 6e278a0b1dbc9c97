/// What becomes of sends whose ids do not come, and where an unknown counter stands.
extension Account where Kept: ~Copyable {
  /// The least time between two readings that agree: a notification is queued before its block is free (rule 39).
  private static var apart: UInt64 { 2_000_000 }
  /// How long nothing may change before what cannot be told is given up.
  private static var patience: UInt64 { 1_000_000_000 }
  /// How often in turn an account learns anew where ids were not its own.
  private static var mostRelearnings: Int { 16 }

  /// Whether there is something to settle, or may be: else a wait for the next notification is all there is to do.
  package var wantsLook: Bool {
    !isExact || awaitsWitness || rest != nil
  }

  /// The end of the queue was read. Learns where the counter stands, where that is not known and can be told now.
  /// - Parameter optionMemory: Read after the queue.
  /// - Returns: Whether it is known now: `release` then releases the first send.
  package mutating func learn(optionMemory: Int64, wasLent: Bool) -> Bool {
    guard case .learning(let newest?, _) = certainty, inFlight.count > 0,
      isProvenRest(optionMemory, wasLent: wasLent)
    else { return false }
    // Nothing is out, so that the newest id is the last there is: that of the send that went alone.
    ids = SendIDs(next: inFlight.next, id: newest &+ 1, areCounted: countsIDs)
    certainty = .exact
    return true
  }

  /// Whether nothing is out, in flight or unread, by the option memory alone.
  package func isProvenRest(_ optionMemory: Int64, wasLent: Bool) -> Bool {
    if (0..<Self.leastBlock).contains(optionMemory) { return true }
    return optionMemory >= 0 && !wasLent && optionMemory == optionMemoryAtRest
  }

  /// Settles sends whose ids will not come: releases them where two readings apart prove that nothing is out, and gives
  /// them up where nothing has changed for long and others may have changed what the proof rests on.
  ///
  /// It needs that everything is acknowledged, and does nothing as long as something changes.
  /// - Parameter body: Takes what a send has kept; `isOut` where the kernel may still read it.
  package mutating func settle(
    _ reading: RestReading, _ body: (consuming Kept, _ isOut: Bool) -> Void
  ) -> Settlement {
    var settlement = Settlement()
    guard inFlight.count > 0 else {
      rest = nil
      // Ids were not to be trusted: they are again, once nothing is out at all.
      if certainty == .mistrusted, isProvenRest(reading.optionMemory, wasLent: reading.wasLent) {
        startAnew()
      }
      return settlement
    }
    guard reading.isAcknowledged else {
      rest = nil
      return settlement
    }
    let now = FirstReading(
      since: reading.at, optionMemory: reading.optionMemory, messagesRead: messagesRead, next: inFlight.next)
    guard let rest, rest.optionMemory == now.optionMemory, rest.messagesRead == now.messagesRead,
      rest.next == now.next
    else {
      rest = now
      return settlement
    }
    let elapsed = reading.at &- rest.since
    if isProvenRest(reading.optionMemory, wasLent: reading.wasLent) {
      guard elapsed >= Self.apart else { return settlement }
      settlement.consequence = consequence(reading)
      settlement.released = takeOut { body($0, false) }
      self.rest = nil
      startAnew()
    } else if elapsed >= Self.patience, !areBlocksOut(reading) {
      settlement.consequence = reading.isOptionOn ? .neverNotified : .optionIsOff
      settlement.givenUp = takeOut(where: { $0.canBeGivenUp }, { body($0, true) })
      noteLack()
    }
    return settlement
  }

  /// What the sends that are settled say of the socket.
  private func consequence(_ reading: RestReading) -> Settlement.Consequence {
    if !reading.isOptionOn { return .optionIsOff }
    switch certainty {
    case .uncertain, .learning(_, mayLack: true): return .none
    case .mistrusted: return relearnings < Self.mostRelearnings ? .none : .foreignIDs
    case .exact, .learning: return .neverNotified
    }
  }

  /// Sends that took no id, or several, have moved our numbers away from the kernel's: where that stands has to be
  /// learnt (rule 6).
  private mutating func startAnew() {
    if certainty == .mistrusted { relearnings += 1 }
    rightAt = inFlight.next + 256
    awaitsWitness = false
    ids = SendIDs(next: inFlight.next, id: 0, areCounted: countsIDs)
    certainty = .learning(newest: nil)
  }

  /// Whether what is used can be nothing but blocks: nobody else has had the descriptor, and it fits.
  private func areBlocksOut(_ reading: RestReading) -> Bool {
    guard !reading.wasLent, optionMemoryAtRest >= 0 else { return false }
    let more = reading.optionMemory - optionMemoryAtRest
    return more > 0 && (blockSize.map { more % $0 == 0 } ?? true)
  }
}
