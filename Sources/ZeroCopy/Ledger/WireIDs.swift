/// The ids of notifications as send numbers, where each send takes one id: TCP, UDP.
///
/// The kernel counts modulo 2^32 (rule 1). An id is read relative to the first that has not been reported, so that
/// the wrap needs no case of its own, as long as fewer than 2^31 sends are in flight.
package struct WireIDs: Sendable {
  /// The id of send number 0.
  private let base: UInt32
  /// In send numbers.
  package private(set) var reported: ReportedIDs

  /// - Parameters:
  ///   - next: The number of the next send.
  ///   - id: The id that it will take.
  package init(next: UInt64, id: UInt32) {
    base = id &- UInt32(truncatingIfNeeded: next)
    reported = ReportedIDs(from: next)
  }

  /// - Parameter next: The number behind the newest send, those whose call has not returned yet included.
  package mutating func report(first: UInt32, last: UInt32, next: UInt64) -> IDMeaning {
    let contiguous = reported.contiguous
    let origin = base &+ UInt32(truncatingIfNeeded: contiguous)
    let start = Int64(contiguous) + Int64(Int32(bitPattern: first &- origin))
    let end = start + Int64(last &- first) + 1
    // Below send number 0 there is nothing of ours.
    guard start >= 0, end <= Int64(next) else { return .neverIssued }
    return reported.insert(UInt64(start)..<UInt64(end)) ? .new : .alreadyReported
  }
}

/// What a notification says of our sends.
package enum IDMeaning: Equatable, Sendable {
  /// At least one id that was not reported before.
  case new
  /// Nothing but ids that were.
  case alreadyReported
  /// It names an id that was never issued. None of the range is trusted: an early release would send one customer's
  /// next bytes to another.
  case neverIssued
  /// None is believed now.
  case ignored
}
