internal import Synchronization
internal import SystemPackage

/// How a connection ended, shared by a socket and its readers: the kernel tells it only once, to whoever
/// asks first, and answers the others as if the stream had ended in order.
final class Fate: Sendable {
  private let state = Mutex<Errno?>(nil)

  /// The error that the connection was lost by; `nil` while it was not.
  var loss: Errno? { state.withLock { $0 } }

  /// Keeps the first error.
  func record(_ errno: Errno) { state.withLock { $0 = $0 ?? errno } }
}

extension Errno {
  /// Whether it is the end of a stream, and not of one call. TCP gives up with the last two lines where
  /// the network had said so before.
  var endsStream: Bool {
    switch self {
    case .brokenPipe, .connectionReset, .connectionAbort, .timedOut, .networkReset, .protocolError,
      .connectionRefused, .noRouteToHost, .hostIsDown, .networkDown, .networkUnreachable:
      true
    default: false
    }
  }
}
