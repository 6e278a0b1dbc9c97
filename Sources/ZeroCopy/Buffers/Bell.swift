internal import CZeroCopy
internal import Synchronization

/// Wakes those who wait for something of which several sockets have a share. Costs no system call while nobody
/// waits.
final class Bell: Sendable {
  private let listeners = Atomic(0)
  /// The descriptor, made for the first who waits; -1 before.
  private let number = Mutex<CInt>(-1)

  deinit { number.withLock { if $0 >= 0 { _ = czc_close($0) } } }

  /// After what is waited for was put back.
  func ring() {
    guard listeners.load(ordering: .sequentiallyConsistent) > 0 else { return }
    number.withLock { if $0 >= 0 { czc_bell_ring($0) } }
  }

  /// Before looking once more, and then waiting beside the descriptor that is returned; -1 where there is none.
  func listen() -> CInt {
    let number = number.withLock { number in
      if number < 0 { number = max(-1, czc_bell_open()) }
      return number
    }
    listeners.add(1, ordering: .sequentiallyConsistent)
    return number
  }

  func leave() { listeners.subtract(1, ordering: .sequentiallyConsistent) }
}
