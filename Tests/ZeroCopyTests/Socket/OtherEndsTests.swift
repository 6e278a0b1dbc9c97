import TestSupport
import Testing
import ZeroCopy

@Suite("Ends of other kinds: listeners, and TCP over several paths")
struct OtherEndsTests {
  @Test("A handle does not keep a listener open that went out of scope", arguments: [Family.ipv4, .unix])
  func droppedListener(_ family: Family) throws {
    func dropped() throws -> (ShutdownHandle, String) {
      let listener = try ZeroCopyListener(binding: family.freeEndpoint)
      return (listener.shutdownHandle, listener.localAddress)
    }
    let (handle, address) = try dropped()
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopySocket.connect(to: address) }
    #expect(failure?.code == .connectionRefused)
    handle.shutDown()
  }

  @Test(
    "An abort of TCP over several paths resets as well (rule 42)",
    .enabled(if: Multipath.exists, "needs MPTCP"))
  func multipath() throws {
    let ends = try Multipath.connect()
    var client = try ZeroCopySocket(adopting: ends.client)
    var server = try ZeroCopySocket(adopting: ends.server)
    let bytes = UnsafeRawBufferPointer(pinnedBytes(64 << 10))
    _ = try client.fill(with: bytes, mode: .automatic)
    client.abort()
    #expect(error { () throws(ZeroCopyError) in try server.expectEnd() }?.code == .connectionLost)
  }
}
