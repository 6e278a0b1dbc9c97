import Glibc
import TestSupport
import Testing
import ZeroCopy

/// TCP by way of a network card, to a receiver that reads to the end and then closes: `make test-kernels`
/// has one, behind the guests' virtio card, and names it in the environment variable ZEROCOPY_TEST_SINK.
@Suite("A network card")
struct NetworkCardTests {
  private static let sink = getenv("ZEROCOPY_TEST_SINK").map { String(cString: $0) }

  @Test(
    "What it sends is not copied, all of it is confirmed, and all of it arrives",
    .enabled(if: sink != nil, "needs a receiver beyond a network card: ZEROCOPY_TEST_SINK=HOST:PORT"))
  func notCopied() throws {
    var socket = try ZeroCopySocket.connect(to: try #require(Self.sink))
    let memory = UnsafeRawBufferPointer(pinnedBytes(64 << 10))
    for _ in 0..<256 { try socket.writeAll(memory, mode: .zeroCopy) }
    try socket.finishWriting()
    let flushed = try socket.flush(timeout: .seconds(60))
    #expect(socket.statistics.zeroCopyBytes == 256 * memory.count)
    #expect(flushed.completed == socket.statistics.zeroCopySends)
    #expect(flushed.remaining == 0)
    #expect(flushed.copied == 0)
    // The receiver has read to the end.
    #expect(try socket.readOneByte() == 0)
  }
}
