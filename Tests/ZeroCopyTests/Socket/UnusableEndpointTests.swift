import TestSupport
import Testing
import ZeroCopy

@Suite("Endpoints that are well formed and lead nowhere")
struct UnusableEndpointTests {
  @Test(
    "Parts that the system cannot take are refused in words",
    arguments: [
      (Endpoint.unix(path: ""), "path is empty"),
      (.unix(path: String(repeating: "a", count: 108)), "107 bytes"),
      (.tcp(host: "ho\u{0}st", port: 80), "zero byte"),
    ])
  func refusedParts(_ endpoint: Endpoint, _ why: String) {
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopySocket.connect(to: endpoint) }
    #expect(failure?.code == .invalidEndpoint)
    #expect(failure?.description.contains(why) == true)
  }

  @Test(
    "A UNIX path that cannot be listened on: it says what to do",
    arguments: [("/nonexistent/socket", "folder"), ("/proc/self/exe", "take another path")])
  func unusablePath(_ path: String, _ why: String) {
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopyListener(binding: .unix(path: path)) }
    #expect(failure?.code == .listenFailed)
    #expect(failure?.message.contains(why) == true)
  }

  @Test("A vsock port of this machine where nobody listens, with vsock and without")
  func vsock() {
    let failure = error { () throws(ZeroCopyError) in
      _ = try ZeroCopySocket.connect(to: .vsock(cid: 1, port: 1))
    }
    #expect(failure?.errno != nil)
    #expect(failure?.description.contains("vsock:1:1") == true)
    // The advice is vsock's, and not that for a network.
    #expect(failure?.message.contains("firewall") == false)
  }
}
