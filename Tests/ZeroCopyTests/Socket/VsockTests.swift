import TestSupport
import Testing
import ZeroCopy

/// vsock from a machine to itself, as where its other end is a virtual machine's host.
@Suite("vsock")
struct VsockTests {
  /// Context 1 is the machine itself; the largest number stands for any port.
  private static let freeEndpoint = "vsock:1:4294967295"

  private static let hasLoopback = (try? ZeroCopyListener(binding: freeEndpoint)) != nil

  @Test(
    "It works by copying, says so, and does not pretend otherwise (rule 5)",
    .enabled(if: hasLoopback, "needs vsock to this machine itself: module vsock_loopback"))
  func copies() throws {
    var listener = try ZeroCopyListener(binding: Self.freeEndpoint)
    var client = try ZeroCopySocket.connect(to: listener.localAddress)
    let accepted = Handoff(try listener.accept(timeout: .seconds(10)))
    #expect(client.availability == .unavailable(.vsock))
    // More than the peer's credit, which is 256 KiB.
    let memory = UnsafeRawBufferPointer(pinnedBytes(3 << 20))
    #expect(
      error { () throws(ZeroCopyError) in try client.writeAll(memory, mode: .zeroCopy) }?.code
        == .zeroCopyUnavailable)
    let peer = Background {
      var socket = accepted.take()
      #expect(socket.availability == .unavailable(.vsock))
      return try socket.readToEnd()
    }
    try client.writeAll(memory, mode: .automatic)
    try client.finishWriting()
    #expect(try client.flush(timeout: .seconds(10)) == FlushResult())
    #expect(try peer.value().elementsEqual(memory))
    #expect(client.statistics.zeroCopySends == 0)
  }
}
