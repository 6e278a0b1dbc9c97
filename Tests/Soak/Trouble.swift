/// What must never happen.
struct Trouble: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// What a session did, added up over all.
struct Tally: Sendable {
  var sessions = 0
  var bytesSent = 0
  var bytesChecked = 0
  var zeroCopySends = 0
  var completed = 0
  var copied = 0
  var fallbacks = 0
  var settled = 0
  var failedSends = 0
  var givenUp = 0
  /// Sessions with a second owner, and those that found zero copy unavailable.
  var disturbed = 0
  var unavailable = 0

  static func += (left: inout Tally, right: Tally) {
    left.sessions += right.sessions
    left.bytesSent += right.bytesSent
    left.bytesChecked += right.bytesChecked
    left.zeroCopySends += right.zeroCopySends
    left.completed += right.completed
    left.copied += right.copied
    left.fallbacks += right.fallbacks
    left.settled += right.settled
    left.failedSends += right.failedSends
    left.givenUp += right.givenUp
    left.disturbed += right.disturbed
    left.unavailable += right.unavailable
  }
}

extension Tally: CustomStringConvertible {
  var description: String {
    "\(sessions) sessions, \(disturbed) of them disturbed, \(unavailable) without zero copy in the end,"
      + " \(bytesSent >> 20) MiB sent, \(bytesChecked >> 20) MiB checked;"
      + " \(zeroCopySends) zero-copy sends, \(completed) completed, \(copied) of them copied,"
      + " \(givenUp) given up by an abort, \(settled) settled, \(failedSends) calls failed, \(fallbacks) fell back"
  }
}
