import Synchronization
import ZeroCopy

/// Any way to have something done on another thread.
private func onAnotherThread(_ work: @escaping @Sendable () -> Void) { work() }

private final class Shared: Sendable {
  let socket: Mutex<ZeroCopySocket>
  init(_ socket: consuming ZeroCopySocket) { self.socket = Mutex(socket) }

  func send(_ pool: BufferPool) throws {
    try socket.withLock { socket in
      if let buffer = pool.take() { try socket.send(buffer) }
    }
  }
}

private func example(_ pool: BufferPool) throws {
  #if MISUSE
    var socket = try ZeroCopySocket.connect(to: "localhost:9000")
    onAnotherThread {
      // error: mutation of captured var 'socket' in concurrently-executing code
      if let buffer = pool.take() { try? socket.send(buffer) }
    }
    if let buffer = pool.take() { try socket.send(buffer) }
  #else
    let shared = Shared(try ZeroCopySocket.connect(to: "localhost:9000"))
    onAnotherThread { try? shared.send(pool) }
    try shared.send(pool)
  #endif
}
