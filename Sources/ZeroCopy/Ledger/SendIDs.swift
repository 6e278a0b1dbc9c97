/// The ids of notifications, in the way that the socket's family gives them out.
enum SendIDs: Sendable {
  /// Each send takes one: TCP, UDP.
  case oneEach(WireIDs)
  /// A send takes several, and only a count says how many: vsock (rule 5).
  case counted(CountedIDs)

  /// - Parameters:
  ///   - next: The number of the next send.
  ///   - id: The id that it will take.
  init(next: UInt64, id: UInt32, areCounted: Bool) {
    self =
      areCounted ? .counted(CountedIDs(next: next, id: id)) : .oneEach(WireIDs(next: next, id: id))
  }

  @inline(__always)
  var areCounted: Bool {
    if case .counted = self { true } else { false }
  }

  /// All sends below this one have had all their ids reported.
  var done: UInt64 {
    switch self {
    case .oneEach(let ids): ids.reported.contiguous
    case .counted(let ids): ids.done
    }
  }

  /// How many ids were reported that wait for others before them.
  var waiting: Int {
    switch self {
    case .oneEach(let ids): ids.reported.beyondCount
    case .counted(let ids): ids.reported.beyondCount
    }
  }

  /// Whether the id of a send was reported; where it is not known which one that is, whether the send is done.
  func isReported(_ send: UInt64) -> Bool {
    switch self {
    case .oneEach(let ids): ids.reported.contains(send)
    case .counted(let ids): send < ids.done
    }
  }

  mutating func report(first: UInt32, last: UInt32, next: UInt64) -> IDMeaning {
    switch take() {
    case .oneEach(var ids):
      defer { self = .oneEach(ids) }
      return ids.report(first: first, last: last, next: next)
    case .counted(var ids):
      defer { self = .counted(ids) }
      return ids.report(first: first, last: last, next: next)
    }
  }

  /// A count of rule 31: at most so many ids are not reported. Nothing where each send takes one.
  /// - Returns: Whether it agrees with what was reported.
  mutating func count(unreported: Int, next: UInt64) -> Bool {
    guard areCounted, case .counted(var ids) = take() else { return true }
    defer { self = .counted(ids) }
    return ids.count(unreported: unreported, next: next)
  }

  /// The newest send was not accepted after all, and its number will be given out again.
  @inline(__always)
  mutating func takeBack(next: UInt64) {
    if areCounted { takeBackCounted(next: next) }
  }

  private mutating func takeBackCounted(next: UInt64) {
    guard areCounted, case .counted(var ids) = take() else { return }
    ids.takeBack(next: next)
    self = .counted(ids)
  }

  /// The value alone: while it changes nothing shares its storage, so that nothing is copied.
  private mutating func take() -> SendIDs {
    let taken = self
    self = .oneEach(WireIDs(next: 0, id: 0))
    return taken
  }
}
