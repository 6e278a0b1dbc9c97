/// Turns the 32-bit ids of notifications into send numbers, where each send takes one id: TCP, UDP.
///
/// The kernel counts modulo 2^32 (rule 1). An id is read relative to the oldest send in flight, so
/// that the wrap needs no case of its own, as long as fewer than 2^31 sends are in flight.
package struct WireIDs: Sendable {
  /// What a notification says of our sends.
  package enum Meaning: Equatable {
    /// Sends that are done, and perhaps some that were known to be.
    case sends(Range<UInt64>)
    /// Nothing but sends that were known to be done.
    case alreadyReleased
    /// Sends that may have more ids than were reported.
    case held
    /// It names an id that was never issued. None of the range is trusted: an early release would
    /// send one customer's next bytes to another.
    case neverIssued
  }

  /// The id of send number 0; `nil` while it has to be learnt from the first notification (rule 6).
  package private(set) var base: UInt32?

  /// Whether ids can be told apart from sends yet.
  package var isKnown: Bool { base != nil }

  /// - Parameter base: 0 for a socket that nobody has sent from before, `nil` for an adopted one.
  package init(base: UInt32?) {
    self.base = base
  }

  /// - Parameter outstanding: The sends in flight, also those whose call has not returned yet.
  package mutating func meaning(
    first: UInt32, last: UInt32, outstanding: Range<UInt64>
  ) -> Meaning {
    let oldest = UInt32(truncatingIfNeeded: outstanding.lowerBound)
    // No call reads the counter. The first send of an adopted socket is alone in flight and on the
    // queue, so that the one id that comes is its own.
    if base == nil, outstanding.count == 1, first == last { base = last &- oldest }
    guard let base else { return .neverIssued }
    let origin = base &+ oldest
    let start = Int64(Int32(bitPattern: first &- origin))
    let end = start + Int64(last &- first) + 1
    if end > Int64(outstanding.count) { return .neverIssued }
    let lower = outstanding.lowerBound
    // Below send number 0 there is nothing of ours.
    if Int64(lower) + start < 0 { return .neverIssued }
    if end <= 0 { return .alreadyReleased }
    return .sends(lower + UInt64(max(0, start))..<lower + UInt64(end))
  }
}
