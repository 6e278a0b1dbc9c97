import DequeModule
import TestSupport
import Testing
import ZeroCopy

@Suite("Memory that cannot be touched in flight")
struct ProtectionTests {
  @Test(
    "Of a buffer that was accepted in part, the kernel can still read the rest",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"))
  func partlyAccepted() throws {
    let size = 16 << 20
    var pair = try Connected(client: Configuration(sendBufferSize: 1 << 18))
    let bytes = Array(pinnedBytes(size))
    let pool = try BufferPool(bufferSize: size, count: 1, pages: .standard, protectingInFlight: true)
    var buffer = pool.take()!
    _ = buffer.append(contentsOf: bytes)
    let unsent = try pair.client.trySend(buffer, mode: .zeroCopy)
    let isAccepted = unsent == nil
    #expect(isAccepted)
    // Nobody has read yet: more than the socket holds cannot have been accepted.
    #expect(pair.client.statistics.bytes < size)
    let peer = pair.serve { socket in try socket.read(count: size) }
    try pair.client.flush(timeout: .seconds(20))
    #expect(areEqual(try peer.value(), bytes))
    #expect(pool.statistics.free == 1)
    // And the memory is accessible again.
    var again = pool.take()!
    _ = again.append(contentsOf: bytes)
    #expect(again.count == size)
  }

  @Test("What is in flight cannot be read, and what has come back can")
  func sent() throws {
    let pool = try BufferPool(bufferSize: size, count: 1, pages: .standard, protectingInFlight: true)
    var pair = try Connected()
    let before = try pair.stall()
    let buffer = try pool.filled()
    let memory = buffer.place
    #expect(isReadable(memory))
    try pair.client.send(buffer, mode: .zeroCopy)
    #expect(pair.client.statistics.inFlight == 1)
    #expect(!isReadable(memory))
    try expectPattern(size, behind: before.count, pair)
    #expect(isReadable(memory))
  }

  @Test("Of a buffer that goes in parts nothing can be read once all of it is in flight, and not before")
  func sentInParts() throws {
    let pool = try BufferPool(bufferSize: size, count: 1, pages: .standard, protectingInFlight: true)
    var pair = try Connected()
    let before = try pair.stall()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(10_000)])
    let buffer = try pool.filled()
    let memory = buffer.place
    let isTaken = try pair.client.trySend(buffer, mode: .zeroCopy).isNone
    #expect(isTaken)
    #expect(pair.client.statistics.bytes == before.count + 10_000)
    // The kernel has to read the rest.
    #expect(isReadable(memory))
    let late = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .zero) }
    #expect(late?.flushed?.remaining == 2)
    #expect(!isReadable(memory))
    try expectPattern(size, behind: before.count, pair)
    #expect(isReadable(memory))
  }

  @Test("So it is with several datagrams in one call: what was not sent can be read")
  func datagrams() throws {
    let pool = try BufferPool(bufferSize: size, count: 3, pages: .standard, protectingInFlight: true)
    var pair = try Datagrams.ready()
    let faults = try Faults(on: pair.client.fileDescriptor, earlierSends: 1)
    // Nothing comes back by itself.
    faults.notifications { $0.perRead = 0 }
    var queue = UniqueDeque<SendBuffer>()
    var places: [UnsafeRawBufferPointer] = []
    for _ in 0..<3 {
      queue.append(try pool.filled())
      places.append(queue[queue.count - 1].place)
    }
    faults.nextSends([.none, .none, .failure(.resourceTemporarilyUnavailable)])
    #expect(try pair.client.sendDatagrams(from: &queue, mode: .zeroCopy) == 2)
    #expect(places.map(isReadable) == [false, false, true])
    faults.calm()
    try pair.client.flush(timeout: .seconds(10))
    #expect(places.map(isReadable) == [true, true, true])
  }

  private let size = 30_000

  /// Reads what was sent, and flushes.
  private func expectPattern(_ count: Int, behind other: Int, _ pair: consuming Connected) throws {
    var pair = pair
    let peer = pair.serve { socket in
      _ = try socket.read(count: other)
      return try socket.readPattern()
    }
    try pair.client.flush(timeout: .seconds(10))
    try pair.client.finishWriting()
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == count)
    #expect(wrongAt == nil)
  }
}
