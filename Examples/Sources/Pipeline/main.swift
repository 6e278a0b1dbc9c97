// Buffers that are filled by several tasks and sent by one, from one pool.
import Loopback
import ZeroCopy

/// Makes what is sent: reads, computes, compresses. Here a number.
func fill(_ handoff: Handoff<SendBuffer>, with number: Int) -> Handoff<SendBuffer> {
  guard var buffer = handoff.take() else { return handoff }
  _ = buffer.append(contentsOf: repeatElement(UInt8(number % 251), count: buffer.capacity))
  return Handoff(buffer)
}

func run() async throws {
  let peer = try Peer()
  let pool = try BufferPool(bufferSize: 256 << 10, count: 16)
  var socket = try ZeroCopySocket.connect(to: peer.endpoint)
  let total = 200
  var started = 0
  var filling: [Task<Handoff<SendBuffer>, Never>] = []
  while started < total || !filling.isEmpty {
    // Who sends takes the buffers, too: it is the one who hears from the kernel that they are free.
    while started < total, filling.count < 4 {
      let empty = Handoff(try socket.buffer(from: pool, timeout: .seconds(5)))
      let number = started
      filling.append(Task.detached { fill(empty, with: number) })
      started += 1
    }
    guard let buffer = await filling.removeFirst().value.take() else { continue }
    try socket.send(buffer)
  }
  try socket.close(timeout: .seconds(5))
  print(socket.statistics)
  try peer.expect(total * pool.bufferSize)
}

try await run()
