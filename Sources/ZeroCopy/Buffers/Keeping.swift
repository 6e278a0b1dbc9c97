/// What a send in flight keeps from being used otherwise.
enum Keeping: ~Copyable, Sendable {
  /// Memory that only the caller knows, and keeps by itself.
  case callersMemory
  /// A buffer of a pool.
  case slot(SlotShare)
  /// Memory that lives as long as an object.
  case object(any AnyObject & Sendable)

  /// The same for one more send.
  func another() -> Keeping {
    switch self {
    case .callersMemory: .callersMemory
    case .slot(let share): .slot(share.another())
    case .object(let object): .object(object)
    }
  }

  var isCallersMemory: Bool {
    switch self {
    case .callersMemory: true
    default: false
    }
  }

  /// The kernel may go on reading, and nothing will say when it has done: what is kept is never used again.
  /// - Returns: What became of it.
  consuming func giveUp() -> GivenUp {
    switch consume self {
    case .callersMemory: return .callersMemory
    case .slot(let share):
      share.quarantine()
      return .quarantined
    case .object(let object):
      // Leaked on purpose.
      _ = unsafe Unmanaged.passRetained(object)
      return .leaked
    }
  }

  enum GivenUp { case callersMemory, quarantined, leaked }
}
