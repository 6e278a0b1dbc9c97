import Synchronization
import ZeroCopy

/// Hears why zero copy is not to be had any more.
final class Reasons: SocketObserver {
  private let heard = Mutex<[Availability.Reason]>([])

  var all: [Availability.Reason] { heard.withLock { $0 } }

  func becameUnavailable(_ reason: Availability.Reason, peer: String) { heard.withLock { $0.append(reason) } }
}
