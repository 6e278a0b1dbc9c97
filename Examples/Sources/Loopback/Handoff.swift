import Synchronization

/// Carries a value that cannot be copied, a socket for instance, into a closure that runs elsewhere.
public final class Handoff<Value: ~Copyable & Sendable>: Sendable {
  private let value: Mutex<Value?>

  public init(_ value: consuming Value) { self.value = Mutex(value) }

  /// The value, the first time.
  public func take() -> sending Value? { value.withLock { $0.take() } }
}
