internal import CZeroCopy
internal import Synchronization
internal import SystemPackage

/// How a connection ended, shared by a socket and its readers: the kernel tells it only once, to whoever
/// asks first, and answers the others as if the stream had ended in order.
final class Fate: Sendable {
  fileprivate struct State {
    var loss: Errno?
    var hasFinishedWriting = false
  }

  private let state = Mutex(State())

  /// The error that the connection was lost by; `nil` while it was not.
  var loss: Errno? { state.withLock { $0.loss } }

  /// Whether this end has sent its end of the stream.
  var hasFinishedWriting: Bool { state.withLock { $0.hasFinishedWriting } }

  /// Keeps the first error, and prefers any to EPIPE, which says only that there was one before.
  func record(_ errno: Errno) {
    state.withLock { $0.record(errno) }
  }

  func setFinishedWriting(_ value: Bool) { state.withLock { $0.hasFinishedWriting = value } }

  /// Takes the pending error off a socket. Under the lock: a reader that the kernel tells of no error,
  /// because it was taken here, finds it recorded.
  func collect(from number: CInt) {
    state.withLock {
      let error = czc_take_error(number)
      if error > 0 { $0.record(Errno(rawValue: error)) }
    }
  }
}

extension Fate.State {
  fileprivate mutating func record(_ errno: Errno) {
    if loss == nil || loss == .brokenPipe { loss = errno }
  }
}

extension Errno {
  /// Whether it is the end of a stream, and not of one call.
  func endsStream(_ number: CInt, isTCP: Bool) -> Bool {
    switch self {
    case .brokenPipe, .connectionReset, .connectionAbort, .timedOut, .networkReset: true
    // What the network says of a route: TCP lives on with it, but gives up with it as well.
    case _ where isOfTheNetwork: !isTCP || czc_tcp_is_closed(number) == 1
    default: false
    }
  }

  /// Whether it is what a router or a host answers (ICMP).
  var isOfTheNetwork: Bool {
    switch self {
    case .protocolError, .connectionRefused, .noRouteToHost, .hostIsDown, .networkDown, .networkUnreachable:
      true
    default: false
    }
  }
}
