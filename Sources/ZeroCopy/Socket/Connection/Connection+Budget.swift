internal import CZeroCopy

extension Connection {
  /// Sends as much as this socket's share of a budget has room for.
  @inline(never)
  mutating func attempt(_ pieces: Pieces, within budget: SendBudget, _ waiting: Waiting) -> Attempt {
    // A datagram cannot go in parts.
    guard !isDatagram, unsafe SendBudget.cost(ofSend: pieces.byteCount) > budget.maximumBytesPerSocket else {
      return unsafe attemptPart(pieces, waiting)
    }
    return unsafe pieces.withPrefix(budget.longestPart) { unsafe attemptPart($0, waiting) }
  }

  private mutating func attemptPart(_ pieces: Pieces, _ waiting: Waiting) -> Attempt {
    var share: BudgetShare?
    if let shortage = unsafe takeShare(&share, ofSend: pieces.byteCount) { return .shortage(shortage) }
    return unsafe attemptZeroCopy(pieces, waiting, share)
  }

  /// Takes what a send counts of the budget, where there is one.
  mutating func takeShare(_ share: inout BudgetShare?, ofSend byteCount: Int) -> Shortage? {
    guard let budget = configuration.budget else { return nil }
    let cost = SendBudget.cost(ofSend: byteCount)
    guard account.inFlight.count < budget.maximumSendsPerSocket,
      budgetedBytes + cost <= budget.maximumBytesPerSocket
    else {
      return .budgetOfSocket
    }
    share = budget.share(cost)
    switch share {
    case .none: return .sharedBudget(cost: cost)
    case .some: budgetedBytes += cost
    }
    return nil
  }

  /// TCP joins a send with the one before that has not left yet, as long as they are 512 KiB together at most. Of one
  /// that it refuses after all it goes on counting the pages until the other one is done (rule 16): so does the budget.
  mutating func leaveShare(of refused: inout SendRecord) {
    var joined = joined
    let next = account.inFlight.next
    account.updateNewest { newest in
      if joined.before != next { joined = (next, newest.leastByteCount) }
      guard joined.byteCount + refused.leastByteCount <= 512 << 10 else { return }
      joined.byteCount += refused.leastByteCount
      newest.takeShare(of: &refused)
    }
    self.joined = joined
  }

  /// Waits until the budget has room, or something of ours was released.
  mutating func awaitBudget(_ cost: Int, _ deadline: Deadline) -> WaitEnd {
    guard let budget = configuration.budget else { return .done }
    if let errno = openWaiter() { return .failed(errno) }
    let bell = hear(budget.returns)
    defer { unhear(budget.returns, bell) }
    let inFlightNow = account.inFlight.count
    while true {
      collect()
      if account.inFlight.count < inFlightNow || budget.usedBytes <= budget.maximumBytes - cost {
        return .done
      }
      if takeShutDown() { return .shutDown }
      if deadline.hasPassed { return .timedOut }
      if let end = wait(deadline, writable: false, hears: bell) { return end }
    }
  }
}

extension Pieces {
  /// The first so many bytes, or fewer: what is no multiple of whole pieces is left out, but for the first one.
  func withPrefix<Result>(_ most: Int, _ body: (Pieces) -> Result) -> Result {
    guard let start = unsafe start else { return unsafe body(self) }
    var whole: CInt = 0
    var byteCount = 0
    // Within the pieces, whose count is given.
    while unsafe whole < count, unsafe byteCount + start[Int(whole)].length <= most {
      unsafe byteCount += start[Int(whole)].length
      whole += 1
    }
    if whole > 0 { return unsafe body(Pieces(start: start, count: whole, byteCount: byteCount)) }
    var part = unsafe start[0]
    unsafe part.length = most
    return unsafe withUnsafePointer(to: &part) {
      unsafe body(Pieces(start: $0, count: 1, byteCount: most))
    }
  }
}
