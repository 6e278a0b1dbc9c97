import Dispatch
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Work on a thread of its own, whose result is waited for: for calls that block.
public final class Background<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let group = DispatchGroup()

  public init(_ work: sending @escaping () throws -> Value) {
    nonisolated(unsafe) let work = work
    group.enter()
    // A task, because it inherits which test it belongs to. On a thread of its own and not one of a pool: a thread
    // inherits the capabilities, the user and the network of the one that starts it, which a test may have
    // changed, and a pool's would hand them on to other tests.
    Task(executorPreference: OwnThread()) { [self] in
      let outcome = Result { try work() }
      result.withLock { $0 = outcome }
      group.leave()
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
