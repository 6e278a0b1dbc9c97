import CLanes
import CTestSupport
import CZeroCopy
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Runs a body on a thread that ends with it: one whose capabilities or network may be changed, because
/// Linux keeps both for each thread. An expectation that fails there is the calling test's.
public func onOwnThread(_ body: @escaping @Sendable () throws -> Void) throws {
  try Background(body).value()
}

/// Runs each job on a thread that the calling thread starts, and that ends with it.
final class OwnThread: TaskExecutor {
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    do {
      pthread_detach(try startThread { job.runSynchronously(on: executor) })
    } catch {
      fatalError("\(error)")
    }
  }
}

/// A thread that ends with its body.
func startThread(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
  final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let work = Unmanaged.passRetained(Work(body))
  let start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
    Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
    return nil
  }
  let result = pthread_create(&thread, nil, start, work.toOpaque())
  guard result == 0 else {
    work.release()
    throw SystemFailure(call: "pthread_create", errno: result)
  }
  return thread
}

/// A system call of a test's own that failed.
public struct SystemFailure: Error {
  public let call: String
  public let errno: CInt

  public init(call: String, errno: CInt) {
    self.call = call
    self.errno = errno
  }
}

/// Whether a test may change what only root may.
public var isRoot: Bool { geteuid() == 0 }

/// Whether it is root of the whole system, and not of a user namespace.
public var isRootOfAll: Bool { isRoot && czc_locked_memory_unlimited() == 1 }

/// Whether a test may make a network of its own.
public var mayMakeNetworks: Bool { isRoot }

/// Whether a test may have tens of MiB in flight: for an ordinary user locked memory is limited, over all
/// tests together.
public var mayLockFreely: Bool {
  czc_locked_memory_unlimited() == 1 || czc_locked_memory_limit() >= 256 << 20
}

/// Runs a body on a thread of its own that may lock so many bytes, whoever runs the tests.
///
/// The limit is the process's, and stays until the body has ended: other threads of root keep CAP_IPC_LOCK,
/// and with it no limit; for anybody else the tests run one after the other.
public func lockingAtMost(_ bytes: UInt64, _ body: @escaping @Sendable () throws -> Void) throws {
  try onOwnThread {
    var before: UInt64 = 0
    let result = cts_limit_locked_memory(bytes, &before)
    if result != 0 { throw SystemFailure(call: "limit of locked memory", errno: -result) }
    defer { _ = cts_limit_locked_memory(before, nil) }
    try body()
  }
}

/// Gives the calling thread files of its own, which a script for /bin/sh mounts.
public func enterOwnMounts(_ script: String) throws {
  let entered = cts_enter_own_mounts()
  if entered != 0 { throw SystemFailure(call: "mounts of its own", errno: -entered) }
  let status = cln_run_script(script)
  if status != 0 { throw SystemFailure(call: "script of a thread's own mounts", errno: status) }
}

/// Moves the calling thread into a network of its own, and sets that up by a script for /bin/sh.
public func enterNewNetwork(_ script: String) throws {
  let entered = cln_enter_new_network(false)
  if entered != 0 { throw SystemFailure(call: "a new network", errno: -entered) }
  try runScript(script)
}

/// Runs a script with /bin/sh, in the calling thread's network.
public func runScript(_ script: String) throws {
  let status = cln_run_script(script)
  if status != 0 { throw SystemFailure(call: "a script", errno: status) }
}
