/// Turns the ids of notifications into send numbers, in the way that the socket's family gives them out.
enum SendIDs: Sendable {
  /// Each send takes one: TCP, UDP.
  case oneEach(WireIDs)
  /// A send takes several, and only a count says how many: vsock (rule 5).
  case counted(CountedIDs)

  /// - Parameter base: The id that comes next, `nil` where it has to be learnt (rule 6).
  init(base: UInt32?, areCounted: Bool) {
    self = areCounted ? .counted(CountedIDs(base: base)) : .oneEach(WireIDs(base: base))
  }

  @inline(__always)
  var areCounted: Bool {
    if case .counted = self { true } else { false }
  }

  /// Whether ids can be told apart from sends yet.
  @inline(__always)
  var isKnown: Bool {
    switch self {
    case .oneEach(let ids): ids.isKnown
    case .counted(let ids): ids.isKnown
    }
  }

  /// What a notification releases.
  mutating func meaning(first: UInt32, last: UInt32, outstanding: Range<UInt64>) -> WireIDs.Meaning {
    if case .oneEach(var ids) = self {
      defer { self = .oneEach(ids) }
      return ids.meaning(first: first, last: last, outstanding: outstanding)
    }
    return change { ids in
      let before = ids.contiguous
      guard ids.report(first: first, last: last, next: outstanding.upperBound) else { return .neverIssued }
      if let done = ids.takeDone() {
        return .sends(outstanding.lowerBound..<max(outstanding.lowerBound, done))
      }
      let isRepeated = ids.isKnown && Int32(bitPattern: last &- UInt32(truncatingIfNeeded: before)) < 0
      return isRepeated ? .alreadyReleased : .held
    } ?? .neverIssued
  }

  /// A count of rule 31: so many ids are not reported.
  mutating func settle(unreported: Int, outstanding: Range<UInt64>) -> WireIDs.Meaning {
    change { ids in
      guard ids.settle(unreported: unreported, next: outstanding.upperBound) else { return .neverIssued }
      return ids.takeDone().map { .sends(outstanding.lowerBound..<max(outstanding.lowerBound, $0)) } ?? .held
    } ?? .neverIssued
  }

  /// The newest send was not accepted after all, and its number will be given out again.
  mutating func takeBack(next: UInt64) {
    if areCounted { change { $0.takeBack(next: next) } }
  }

  /// Forgets where the counter stands: the next send goes alone, and tells (rule 6).
  mutating func restart() { self = SendIDs(base: nil, areCounted: areCounted) }

  /// Nothing shares the count while it changes, so that nothing is copied.
  @discardableResult
  private mutating func change<Result>(_ body: (inout CountedIDs) -> Result) -> Result? {
    guard case .counted(var ids) = self else { return nil }
    self = .oneEach(WireIDs(base: nil))
    defer { self = .counted(ids) }
    return body(&ids)
  }
}
