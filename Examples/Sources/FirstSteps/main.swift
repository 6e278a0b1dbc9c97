// The three tiers of sending, on one connection.
import Loopback
import ZeroCopy

func sendInEachWay(to endpoint: String) throws {
  var socket = try ZeroCopySocket.connect(to: endpoint)
  print("zero copy is", socket.availability)

  // 3. Owned: a buffer goes to the kernel, and comes back to its pool when the kernel has let go of it.
  let pool = try BufferPool(bufferSize: 1 << 20, count: 8)
  for _ in 0..<32 {
    // Waits where all eight are in flight.
    var buffer = try socket.buffer(from: pool, timeout: .seconds(5))
    _ = buffer.append(contentsOf: repeatElement(4, count: buffer.capacity))
    try socket.send(buffer)
    // Using `buffer` here would not compile.
  }

  // 2. Borrowed: the call returns when the kernel has let go of the memory.
  let array = [UInt8](repeating: 1, count: 4 << 20)
  try socket.writeAndFlush(array.span, timeout: .seconds(5))

  // 1. The pair that the kernel offers: the memory must stay untouched until flush has returned.
  let header = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 64)
  let body = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
  unsafe header.initializeMemory(as: UInt8.self, repeating: 2)
  unsafe body.initializeMemory(as: UInt8.self, repeating: 3)
  for _ in 0..<16 {
    // Nobody writes to the two before the flush below.
    try unsafe socket.writeAll(
      [UnsafeRawBufferPointer(header), UnsafeRawBufferPointer(body)], mode: .zeroCopy)
  }
  let flushed = try socket.flush(timeout: .seconds(5))
  unsafe header.deallocate()
  unsafe body.deallocate()
  if flushed.allCopied { print("the kernel copied all the same, as it does on loopback") }

  print(socket.statistics)
  try socket.close(timeout: .seconds(5))
}

let peer = try Peer()
try sendInEachWay(to: peer.endpoint)
try peer.expect((32 << 20) + (4 << 20) + 16 * (64 + (1 << 20)))
