import DequeModule

/// Turns the ids of notifications into send numbers, where one send takes an unknown number of ids:
/// vsock (rule 5), where counting calls as ids released memory early.
///
/// Which ids a send has taken becomes known only when somebody has counted, by the option memory that the
/// socket uses, how many ids there are in all (rule 31). Until then the send is held, whatever is reported.
/// What was sent between two counts is released together, when every id below the later count has been
/// reported: the more counts, the sooner.
package struct CountedIDs: Sendable {
  /// What somebody has counted: the ids of all sends below `sends` are below `ids`.
  private struct Count {
    var sends: UInt64
    var ids: UInt64
  }

  /// All ids below this one have been reported. 64 bits wide: it never wraps.
  package private(set) var contiguous: UInt64

  /// How many ids there were at the last count.
  package private(set) var issued: UInt64

  /// The first send that is not counted.
  private var uncounted: UInt64 = 0

  /// Counts whose ids have not all been reported.
  private var counts = Deque<Count>()

  /// Reported ranges above `contiguous`, in order, apart from each other.
  private var beyond: [Range<UInt64>] = []

  /// Whether ids can be told apart from sends yet.
  package private(set) var isKnown: Bool
  /// The newest id reported while they cannot.
  private var newest: UInt32?

  /// - Parameter base: The id that comes next: 0 for a socket that nobody has sent from before, `nil` for an
  ///   adopted one, whose first send goes alone (rule 6).
  package init(base: UInt32?) {
    contiguous = UInt64(base ?? 0)
    issued = contiguous
    isKnown = base != nil
  }

  /// A notification for the ids `first` to `last`. Ranges that were reported before change nothing.
  /// - Parameter next: The number behind the newest send.
  /// - Returns: Whether it is trusted: not where it names an id that was never issued.
  package mutating func report(first: UInt32, last: UInt32, next: UInt64) -> Bool {
    guard isKnown else {
      newest = newest.map { Int32(bitPattern: last &- $0) > 0 ? last : $0 } ?? last
      return true
    }
    let offset = Int64(Int32(bitPattern: first &- UInt32(truncatingIfNeeded: contiguous)))
    let end = Int64(contiguous) + offset + Int64(last &- first) + 1
    guard Int64(contiguous) + offset >= 0, next > uncounted || end <= Int64(issued) else { return false }
    guard end > Int64(contiguous) else { return true }
    let start = max(contiguous, UInt64(Int64(contiguous) + offset))
    insert(start..<UInt64(end))
    return true
  }

  /// A count of rule 31: so many of the ids are not reported. Not while a call is under way, which may take
  /// more. It may be one too many, of a send whose notification is just being made, and is put right by the next
  /// one; it is never too few.
  /// - Parameter next: The number behind the newest send.
  /// - Returns: Whether it agrees with what was reported; where it does not, ids are lost and nothing is settled.
  package mutating func settle(unreported: Int, next: UInt64) -> Bool {
    guard isKnown else {
      // Nothing is in flight, so that the newest id is the last there is.
      guard unreported == 0, let newest else { return true }
      self = CountedIDs(base: newest)
      contiguous += 1
      return settle(unreported: 0, next: next)
    }
    let total = beyond.reduce(contiguous + UInt64(unreported)) { $0 + UInt64($1.count) }
    return settle(total: total, next: next)
  }

  /// The same: `total` ids have been issued since the socket began.
  package mutating func settle(total: UInt64, next: UInt64) -> Bool {
    guard total >= (beyond.last?.upperBound ?? contiguous) else { return false }
    issued = total
    for index in counts.indices.reversed() {
      guard counts[index].ids > total else { break }
      counts[index].ids = total
    }
    if next > uncounted { counts.append(Count(sends: next, ids: total)) }
    uncounted = next
    return true
  }

  /// The newest send was not accepted after all: its number will be given out again.
  package mutating func takeBack(next: UInt64) {
    uncounted = min(uncounted, next)
    for index in counts.indices.reversed() {
      guard counts[index].sends > next else { break }
      counts[index].sends = next
    }
  }

  /// The number below which all sends are done, where there is something new to say.
  package mutating func takeDone() -> UInt64? {
    var done: UInt64?
    while let count = counts.first, count.ids <= contiguous {
      counts.removeFirst()
      done = count.sends
    }
    return done
  }

  private mutating func insert(_ range: Range<UInt64>) {
    var merged = range
    var index = beyond.firstIndex { $0.upperBound >= range.lowerBound } ?? beyond.endIndex
    let start = index
    while index < beyond.endIndex, beyond[index].lowerBound <= merged.upperBound {
      merged =
        min(merged.lowerBound, beyond[index].lowerBound)..<max(merged.upperBound, beyond[index].upperBound)
      index += 1
    }
    beyond.replaceSubrange(start..<index, with: CollectionOfOne(merged))
    if let head = beyond.first, head.lowerBound <= contiguous {
      contiguous = max(contiguous, head.upperBound)
      beyond.removeFirst()
    }
  }
}
