/// Whether a peer that is waited for acknowledges at least so many bytes a second.
///
/// Only the time that calls wait counts, over all of them: a peer that lets each call through after a moment may be
/// slow all the same, and one to which nothing is sent is not.
package struct RateWatch: Sendable {
  /// Nanoseconds waited before it is judged.
  private static let window: UInt64 = 2_000_000_000

  private var waited: UInt64 = 0
  private var acknowledgedAtBegin: Int?

  package init() {}

  /// - Parameters:
  ///   - waited: Nanoseconds of the wait that has just ended.
  ///   - acknowledged: Bytes, since the connection began.
  ///   - hasMore: Whether the peer has anything left to acknowledge.
  package mutating func isTooSlow(leastRate: Int, waited: UInt64, acknowledged: Int, hasMore: Bool) -> Bool {
    guard hasMore, let begin = acknowledgedAtBegin else {
      self.waited = 0
      acknowledgedAtBegin = acknowledged
      return false
    }
    self.waited += waited
    guard self.waited >= Self.window else { return false }
    let isTooSlow = Double(acknowledged - begin) * 1e9 < Double(leastRate) * Double(self.waited)
    self.waited = 0
    acknowledgedAtBegin = acknowledged
    return isTooSlow
  }
}
