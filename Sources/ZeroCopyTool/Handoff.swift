import Synchronization

/// Carries a value that cannot be copied into a closure that runs elsewhere.
final class Handoff<Value: ~Copyable & Sendable>: Sendable {
  private let value: Mutex<Value?>

  init(_ value: consuming Value) { self.value = Mutex(value) }

  /// The value, the first time.
  func take() -> sending Value? { value.withLock { $0.take() } }
}
