import ZeroCopy

private actor Sender {
  var socket: ZeroCopySocket
  init(_ socket: consuming ZeroCopySocket) { self.socket = socket }

  func send(_ pool: BufferPool) throws {
    if let buffer = pool.take() { try socket.send(buffer) }
  }
}

private func example(_ pool: BufferPool) async throws {
  #if MISUSE
    var socket = try ZeroCopySocket.connect(to: "localhost:9000")
    await withTaskGroup { group in
      for _ in 0..<2 {
        // error: passing closure as a 'sending' parameter risks causing data races between code in the current task and concurrent execution of the closure
        group.addTask {
          if let buffer = pool.take() { try? socket.send(buffer) }
        }
      }
    }
  #else
    let sender = Sender(try ZeroCopySocket.connect(to: "localhost:9000"))
    await withTaskGroup { group in
      for _ in 0..<2 { group.addTask { try? await sender.send(pool) } }
    }
  #endif
}
