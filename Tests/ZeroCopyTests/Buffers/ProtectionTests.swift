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
    buffer.append(contentsOf: bytes)
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
    again.append(contentsOf: bytes)
    #expect(again.count == size)
  }
}
