internal import CZeroCopy
internal import Synchronization
internal import SystemPackage

/// The open descriptor of one socket: closed once, and never used by a shutdown after that, when its
/// number may be somebody else's.
final class Descriptor: Sendable {
  private struct State {
    var number: CInt
    var wasShutDown = false
    var wasClosed = false
    var isShared = false
  }

  private let state: Mutex<State>
  private let wasLent = Atomic(false)

  init(_ number: CInt) {
    state = Mutex(State(number: number))
  }

  /// Whether somebody else has, or has had, the number, and may have done anything with the socket.
  var isLent: Bool { wasLent.load(ordering: .relaxed) }
  func lend() { wasLent.store(true, ordering: .relaxed) }

  /// Whether it was closed, and not relinquished.
  var wasClosed: Bool { state.withLock { $0.wasClosed } }

  /// Whether `shutDown` was called.
  var wasShutDown: Bool { state.withLock { $0.wasShutDown } }

  /// shutdown(2) of both directions; nothing where it is closed already. The lock is held across the
  /// call, which does not wait, so that the number cannot be closed and given to another meanwhile.
  func shutDown() {
    state.withLock {
      guard $0.number >= 0, !$0.wasShutDown else { return }
      $0.wasShutDown = true
      _ = czc_shutdown($0.number, CInt(CZC_SHUT_BOTH))
    }
  }

  /// A duplicate, which keeps the connection open: from then on closing must shut it down first.
  func duplicate() -> CInt {
    state.withLock {
      let copy = czc_duplicate($0.number)
      if copy >= 0 { $0.isShared = true }
      return copy
    }
  }

  func close() {
    let (number, isShared) = state.withLock { state in
      defer { state.number = -1 }
      state.wasClosed = state.wasClosed || state.number >= 0
      return (state.number, state.isShared)
    }
    guard number >= 0 else { return }
    // Ends the duplicates' reads; what was accepted is still delivered, as with a plain close.
    if isShared { _ = czc_shutdown(number, CInt(CZC_SHUT_BOTH)) }
    // Outside the lock: with SO_LINGER it waits.
    _ = czc_close(number)
  }

  /// Gives the number away without closing it.
  func relinquish() -> CInt {
    state.withLock { state in
      defer { state.number = -1 }
      return state.number
    }
  }

  deinit { close() }
}
