import Dispatch
import Synchronization

/// Work on a thread of its own, whose result is waited for: for calls that block.
public final class Background<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let group = DispatchGroup()

  public init(_ work: sending @escaping () throws -> Value) {
    // A queue each: the shared ones run out of threads when many calls block.
    nonisolated(unsafe) let work = work
    DispatchQueue(label: "background").async(group: group) { [self] in
      let outcome = Result { try work() }
      result.withLock { $0 = outcome }
    }
  }

  /// Waits for the end of the work. Rethrows what it threw.
  public func value() throws -> Value {
    group.wait()
    return try result.withLock { $0! }.get()
  }

  public var isDone: Bool { result.withLock { $0 != nil } }
}

/// Carries a value that cannot be copied into a closure that runs elsewhere.
public final class Handoff<Value: ~Copyable & Sendable>: Sendable {
  private let value: Mutex<Value?>

  public init(_ value: consuming Value) { self.value = Mutex(value) }

  /// For a value that another thread will put here.
  public init() { value = Mutex(nil) }

  public func put(_ value: consuming sending Value) {
    var new: Value? = consume value
    self.value.withLock { $0 = new.take() }
  }

  /// The value, the first time.
  public func take() -> sending Value { value.withLock { $0.take()! } }
}
