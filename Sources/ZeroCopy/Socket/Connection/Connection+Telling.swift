/// Telling an observer what has happened.
extension Connection {
  /// What an observer is told and was told.
  struct Telling: Sendable {
    let observer: any SocketObserver
    let peer: String
    var told = Statistics()
    /// The limit that it knows of.
    var limit: ZeroCopyError.Code?
  }

  /// Counts as they are now.
  var currentStatistics: Statistics {
    var statistics = statistics
    statistics.inFlight = account.inFlight.count + inFlightForEver
    statistics.held = account.held
    statistics.heldBehind = account.held > 0 ? Int(account.inFlight.oldest) : nil
    return statistics
  }

  /// What a wait that has ended in vain says of ids that came, and released nothing yet; empty where there are none.
  var heldInWords: String {
    let held = account.held
    guard held > 0 else { return "" }
    return
      "; \(held) later notifications are in, and held behind send \(account.inFlight.oldest), whose own is not"
  }

  /// What nothing else would do while sends are copied: tells of them, for no notification is read, and asks what the
  /// path takes by now.
  @inline(never)
  mutating func lookAround() {
    tellProgress()
    segments.lookAgain(number, facts)
    planLook()
  }

  /// When to look around: seldom enough for a system call to cost nothing, and never where there is nothing to see.
  mutating func planLook() {
    guard telling != nil || facts.isInternetDatagram else { return }
    sendsToLook = statistics.sends + (telling == nil ? 1024 : 64)
  }

  @inline(never)
  mutating func tellProgress() {
    let now = currentStatistics
    guard let before = telling?.told, now != before else { return }
    telling?.told = now
    if let telling { telling.observer.progressed(now.since(before), peer: telling.peer) }
  }

  /// The policy has decided something: for later sockets, too.
  @inline(never)
  mutating func tellDecision() {
    guard let state = policy.takeNews() else { return }
    configuration.experience.note(state, of: path)
    if let telling { telling.observer.decided(SendDecision(state), peer: telling.peer) }
  }

  /// Copies what was to go without.
  /// - Parameter shortage: The limit that was met; `nil` where it was none.
  mutating func fallBack(_ shortage: Shortage? = nil, byteCount: Int = 0) {
    statistics.fallbacks += 1
    policy.spoil()
    guard let shortage, telling != nil else { return }
    // A bound of ours may be met by each send: words are made for the first one only.
    if shortage.isOurs, telling?.limit == .inFlightLimit { return }
    tell(shortage, byteCount)
  }

  @inline(never)
  private mutating func tell(_ shortage: Shortage, _ byteCount: Int) {
    let limit = shortageError(shortage, byteCount: byteCount)
    guard let telling, limit.code != telling.limit else { return }
    self.telling?.limit = limit.code
    telling.observer.fellBack(limit, peer: telling.peer)
  }

  mutating func becomeUnavailable(_ reason: Availability.Reason) {
    availability = .unavailable(reason)
    if let telling { telling.observer.becameUnavailable(reason, peer: telling.peer) }
  }

  mutating func tellEnd() {
    tellProgress()
    if let telling { telling.observer.ended(currentStatistics, peer: telling.peer) }
    telling = nil
  }
}
