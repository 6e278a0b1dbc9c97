// A socket that is handed to a task, and stopped from outside of it.
import Loopback
import ZeroCopy

/// Calls of the socket block; in a program with many tasks give them a thread of their own.
func send(_ megabytes: Int, over socket: consuming ZeroCopySocket) throws(ZeroCopyError) -> Statistics {
  let bytes = [UInt8](repeating: 9, count: 1 << 20)
  for _ in 0..<megabytes { try socket.writeAndFlush(bytes.span, timeout: .seconds(5)) }
  let statistics = socket.statistics
  try socket.close(timeout: .seconds(5))
  return statistics
}

func run() async throws {
  let peer = try Peer()
  let socket = try ZeroCopySocket.connect(to: peer.endpoint)
  // The one thing that others may do to a socket that they do not own.
  let handle = socket.shutdownHandle
  let handoff = Handoff(socket)
  let task = Task { () throws -> Statistics? in
    guard let socket = handoff.take() else { return nil }
    return try send(8, over: socket)
  }
  let statistics = try await withTaskCancellationHandler {
    try await task.value
  } onCancel: {
    handle.shutDown()
  }
  print(statistics.map { "\($0)" } ?? "nothing was sent")
  try peer.expect(8 << 20)
}

try await run()
