/// Hears what happens on sockets: where an application binds them to its metrics and its log.
///
/// Give one to the `Configuration` of each socket; all may share it. It is called on the thread of the call during which
/// it happened, before that call returns or throws, and must neither wait nor use the socket itself, which is being
/// changed. None of it is told for every send: what a socket does comes in sums, everything else is rare. `peer` is the
/// peer's address when the socket was made.
///
/// What an observer does not implement it does not hear; later versions may tell more.
public protocol SocketObserver: Sendable {
  /// A socket is there.
  func opened(_ availability: Availability, peer: String)

  /// So much was done since this was told last; `inFlight` and `bytesInFlight` are what they are now. Told when
  /// notifications are read (once for 64 sends at most, or for 4 on vsock, and while a call waits), before a send that is
  /// copied, once for 64 sends at most, and when the socket ends.
  func progressed(_ since: Statistics, peer: String)

  /// `.automatic` has found out which way is cheaper for a size.
  func decided(_ decision: SendDecision, peer: String)

  /// `.automatic` begins to copy because of a limit, which the error names with what raises it. Told once, and again
  /// when it is another limit.
  func fellBack(_ limit: ZeroCopyError, peer: String)

  /// Zero copy is not to be had any more on this socket.
  func becameUnavailable(_ reason: Availability.Reason, peer: String)

  /// The ids of notifications do not fit the sends: another owner uses the same socket. Nothing is released until the
  /// kernel's own count says that nothing is in flight.
  func lostTrack(peer: String)

  /// The socket was closed, aborted, relinquished or dropped: all that it has done.
  func ended(_ total: Statistics, peer: String)
}

extension SocketObserver {
  public func opened(_ availability: Availability, peer: String) {}
  public func progressed(_ since: Statistics, peer: String) {}
  public func decided(_ decision: SendDecision, peer: String) {}
  public func fellBack(_ limit: ZeroCopyError, peer: String) {}
  public func becameUnavailable(_ reason: Availability.Reason, peer: String) {}
  public func lostTrack(peer: String) {}
  public func ended(_ total: Statistics, peer: String) {}
}
