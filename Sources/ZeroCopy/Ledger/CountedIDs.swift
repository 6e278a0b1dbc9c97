import DequeModule

/// The ids of notifications as send numbers, where one send takes an unknown number of ids: vsock (rule 5), where
/// counting calls as ids released memory early.
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

  package private(set) var reported: ReportedIDs

  /// How many ids there were at the last count.
  package private(set) var issued: UInt64

  /// The first send that is not counted.
  private var uncounted: UInt64

  /// Counts whose ids have not all been reported.
  private var counts = Deque<Count>()

  /// All sends below this one are done.
  package private(set) var done: UInt64

  /// - Parameters:
  ///   - next: The number of the next send.
  ///   - id: The first id that it will take.
  package init(next: UInt64, id: UInt32) {
    reported = ReportedIDs(from: UInt64(id))
    issued = UInt64(id)
    uncounted = next
    done = next
  }

  /// A notification for the ids `first` to `last`.
  /// - Parameter next: The number behind the newest send.
  package mutating func report(first: UInt32, last: UInt32, next: UInt64) -> IDMeaning {
    let contiguous = reported.contiguous
    let start = Int64(contiguous) + Int64(Int32(bitPattern: first &- UInt32(truncatingIfNeeded: contiguous)))
    let end = start + Int64(last &- first) + 1
    // Of sends that nobody has counted the ids are not known: any id above may be theirs.
    guard start >= 0, next > uncounted || end <= Int64(issued) else { return .neverIssued }
    guard reported.insert(UInt64(start)..<UInt64(end)) else { return .alreadyReported }
    advance()
    return .new
  }

  /// A count of rule 31: at most so many of the ids are not reported. Not while a call is under way, which may take
  /// more. It may be too many, and is put right by the next one; it is never too few.
  /// - Parameter next: The number behind the newest send.
  /// - Returns: Whether it agrees with what was reported; where it does not, ids are lost and nothing is settled.
  package mutating func count(unreported: Int, next: UInt64) -> Bool {
    count(total: reported.contiguous + UInt64(reported.beyondCount + unreported), next: next)
  }

  /// The same: at most `total` ids have been issued since the socket began.
  package mutating func count(total: UInt64, next: UInt64) -> Bool {
    guard total >= reported.end else { return false }
    issued = total
    for index in counts.indices.reversed() {
      guard counts[index].ids > total else { break }
      counts[index].ids = total
    }
    if next > uncounted { counts.append(Count(sends: next, ids: total)) }
    uncounted = max(uncounted, next)
    advance()
    return true
  }

  /// The newest send was not accepted after all: its number will be given out again.
  package mutating func takeBack(next: UInt64) {
    uncounted = min(uncounted, next)
    done = min(done, next)
    for index in counts.indices.reversed() {
      guard counts[index].sends > next else { break }
      counts[index].sends = next
    }
  }

  private mutating func advance() {
    while let count = counts.first, count.ids <= reported.contiguous {
      counts.removeFirst()
      done = max(done, count.sends)
    }
  }
}
