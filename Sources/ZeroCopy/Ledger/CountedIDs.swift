import DequeModule

/// Turns the ids of notifications into send numbers, where one send takes an unknown number of ids:
/// vsock (rule 5), where counting calls as ids released memory early.
///
/// A send's last id becomes known only when somebody has counted, by the option memory that the socket
/// uses, how many ids there are in all (rule 31). Until then the send is held, whatever is reported.
/// Sends are released in order: when every id up to the send's last one has been reported.
package struct CountedIDs: Sendable {
  /// All ids below this one have been reported. 64 bits wide: it never wraps.
  package private(set) var contiguous: UInt64 = 0

  /// How many ids there were at the last count.
  package private(set) var issued: UInt64 = 0

  /// Reported ranges above `contiguous`, in order, apart from each other.
  private var beyond: [Range<UInt64>] = []

  /// Where the ids of each held send end at the latest; sends above these are not counted yet.
  private var ends = Deque<UInt64>()

  private var uncounted = 0

  package init() {}

  /// How many sends are held.
  package var held: Int { ends.count + uncounted }

  /// A send is about to be made; how many ids it takes is not known yet. Before the call (rule 7).
  package mutating func sent() { uncounted += 1 }

  /// The newest send was not accepted after all.
  package mutating func takeBack() {
    if uncounted > 0 {
      uncounted -= 1
    } else {
      _ = ends.popLast()
    }
  }

  /// A notification for the ids `first` to `last`. Ranges that were reported before change nothing.
  /// - Returns: Whether it is trusted: not where it names an id that was never issued.
  @discardableResult
  package mutating func report(first: UInt32, last: UInt32) -> Bool {
    let offset = Int64(Int32(bitPattern: first &- UInt32(truncatingIfNeeded: contiguous)))
    let end = Int64(contiguous) + offset + Int64(last &- first) + 1
    guard Int64(contiguous) + offset >= 0, uncounted > 0 || end <= Int64(issued) else { return false }
    guard end > Int64(contiguous) else { return true }
    let start = max(contiguous, UInt64(Int64(contiguous) + offset))
    insert(start..<UInt64(end))
    return true
  }

  /// The count of rule 31: `total` ids have been issued since the socket began. Not while a call is under
  /// way, which may take more.
  /// - Returns: Whether it agrees with what was reported; where it does not, nothing is settled.
  @discardableResult
  package mutating func settle(total: UInt64) -> Bool {
    guard total >= issued, total >= (beyond.last?.upperBound ?? contiguous) else { return false }
    issued = total
    for _ in 0..<uncounted { ends.append(total) }
    uncounted = 0
    return true
  }

  /// Takes out the oldest sends whose ids have all been reported, and says how many they are.
  package mutating func takeReleased() -> Int {
    var released = 0
    while let end = ends.first, end <= contiguous {
      ends.removeFirst()
      released += 1
    }
    return released
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
