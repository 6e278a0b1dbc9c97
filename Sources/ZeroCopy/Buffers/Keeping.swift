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

/// What the sends of one call keep, as long as there may be more of them.
struct Lending: ~Copyable, Sendable {
  var keeping = Keeping.callersMemory
  /// Of all that the call sends.
  private var byteCount = 0

  init() {}

  init(_ keeping: consuming Keeping, byteCount: Int) {
    self.keeping = keeping
    self.byteCount = byteCount
  }

  /// For the next send. Where it is of everything, as most are, nothing is left here: that is one owner less to
  /// count. What it does not take after all has to be lent again.
  @inline(__always)
  mutating func keep(forSendOf count: Int) -> Keeping {
    if keeping.isCallersMemory { return .callersMemory }
    guard count == byteCount else { return keeping.another() }
    var all = Keeping.callersMemory
    swap(&keeping, &all)
    return all
  }
}
