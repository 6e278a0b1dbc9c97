import Synchronization

/// Raised once, seen by another thread.
public final class Flag: Sendable {
  private let value = Atomic(false)

  public init() {}

  public func raise() { value.store(true, ordering: .releasing) }
  public var isRaised: Bool { value.load(ordering: .acquiring) }
}
