import TestSupport
import Testing
import ZeroCopy

/// A device that swallows packets and looks at none.
@Suite("The sink", .lane(.sink))
struct SinkLaneTests {
  @Test(
    "No datagram is reported as copied", arguments: ["udp:10.77.0.2:9000", "udp:[fd77::2]:9000"],
    [WriteMode.zeroCopy, .automatic])
  func nothingIsCopied(endpoint: String, mode: WriteMode) throws {
    var socket = try ZeroCopySocket.connect(to: endpoint)
    let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
    for _ in 0..<200 { try socket.writeAll(memory, mode: mode) }
    // Automatic mode tries both ways.
    let count = socket.statistics.zeroCopySends
    #expect(mode == .zeroCopy ? count == 200 : count > 0)
    #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: count, copied: 0))
  }

  @Test("Several pieces of memory make one datagram, and none is copied")
  func pieces() throws {
    var socket = try ZeroCopySocket.connect(to: "udp:10.77.0.2:9000")
    let head = UnsafeRawBufferPointer(pinnedBytes(20_000))
    let body = UnsafeRawBufferPointer(pinnedBytes(40_000))
    for _ in 0..<50 { #expect(try socket.writev([head, body], mode: .zeroCopy) == 60_000) }
    #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: 50, copied: 0))
  }
}
