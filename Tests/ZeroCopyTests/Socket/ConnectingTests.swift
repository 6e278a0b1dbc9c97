import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("Connecting and listening")
struct ConnectingTests {
  @Test(
    "Connects over IPv4, IPv6 and UNIX, and says whether zero copy is available", arguments: Family.allCases)
  func families(_ family: Family) throws {
    var pair = try Connected(family)
    #expect(pair.client.availability.isAvailable == (family != .unix))
    #expect(pair.server.availability == pair.client.availability)
    try [UInt8]("hello".utf8).withUnsafeBytes { try pair.client.writeAll($0) }
    #expect(try pair.server.read(count: 5) == [UInt8]("hello".utf8))
  }

  @Test("A UNIX socket says that it copies")
  func unixSaysSo() throws {
    let pair = try Connected(.unix)
    #expect(pair.client.availability == .unavailable(.unixSocket))
    #expect("\(pair.client.availability)".contains("UNIX"))
  }

  @Test("A UNIX path can be listened on and connected to, and is removed with its listener")
  func unixPath() throws {
    let path = "/tmp/zerocopy-test-\(UInt64.random(in: 0 ... .max)).sock"
    var listener = try ZeroCopyListener(binding: "unix:\(path)")
    #expect(listener.localAddress == "unix:\(path)")
    let client = try ZeroCopySocket.connect(to: "unix:\(path)")
    let server = try listener.accept(timeout: .seconds(10))
    #expect(client.peerAddress == "unix:\(path)")
    #expect(server.localAddress == "unix:\(path)")
    listener.close()
    #expect(access(path, F_OK) != 0)
    // Again, and by going out of scope.
    do { _ = try ZeroCopyListener(binding: "unix:\(path)") }
    #expect(access(path, F_OK) != 0)
  }

  @Test("A path that somebody else has taken since is left alone")
  func unixPathOfOthers() throws {
    let path = "/tmp/zerocopy-test-\(UInt64.random(in: 0 ... .max)).sock"
    var first = try ZeroCopyListener(binding: "unix:\(path)")
    unlink(path)
    let second = try ZeroCopyListener(binding: "unix:\(path)")
    first.close()
    #expect(access(path, F_OK) == 0)
    #expect(second.localAddress == "unix:\(path)")
  }

  @Test("Accepted sockets have zero copy because the listener had it before it listened (rule 20)")
  func acceptedInherits() throws {
    let pair = try Connected()
    #expect(pair.server.option(SOL_SOCKET, Option.zeroCopy) == 1)
  }

  @Test("Every address that a name resolves to is tried")
  func triesEveryAddress() throws {
    // "localhost" is ::1 first on many machines; here only 127.0.0.1 listens.
    var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    let port = listener.localAddress.split(separator: ":").last ?? ""
    let client = try ZeroCopySocket.connect(to: "localhost:\(port)")
    let server = try listener.accept(timeout: .seconds(10))
    #expect(server.peerAddress == client.localAddress)
  }

  @Test("Descriptors are close-on-exec (rule 27)")
  func closeOnExec() throws {
    let pair = try Connected()
    for number in [pair.client.fileDescriptor.rawValue, pair.server.fileDescriptor.rawValue] {
      #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
    }
  }

  @Test("The configuration's options reach the kernel")
  func options() throws {
    let pair = try Connected(
      client: Configuration(
        writeTimeout: .milliseconds(1500), noDelay: true, keepAlive: true, sendBufferSize: 65536))
    #expect(pair.client.option(Int32(IPPROTO_TCP), TCP_NODELAY) == 1)
    #expect(pair.client.option(SOL_SOCKET, SO_KEEPALIVE) == 1)
    #expect(pair.client.option(SOL_SOCKET, SO_SNDBUF) == 2 * 65536)
  }

  @Test(
    "A malformed endpoint is told what is wrong with it",
    arguments: [
      ("", "port is missing"), ("host", "port is missing"), ("host:", "no port"), (":80", "host is missing"),
      ("host:65536", "no port"), ("host:-1", "no port"), ("host:8o", "no port"), ("::1:80", "brackets"),
      ("[::1:80", "brackets"), ("unix:", "path is empty"), ("vsock:2", "two numbers"),
      ("vsock:x:1", "two numbers"), ("udp:80", "port is missing"), ("ho\u{0}st:80", "zero byte"),
    ])
  func malformed(_ text: String, _ why: String) {
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopySocket.connect(to: text) }
    #expect(failure?.code == .invalidEndpoint)
    #expect(failure?.description.contains(why) == true)
    #expect(Endpoint(text) == nil)
  }

  @Test(
    "An endpoint's text is what it was made from",
    arguments: [
      "host:80", "[::1]:0", "udp:10.0.0.1:9", "udp:[fe80::1%1]:9", "unix:/a b/c", "unix:@name",
      "vsock:4294967295:1024",
    ])
  func roundTrip(_ text: String) {
    #expect(Endpoint(text)?.description == text)
  }

  @Test("A port where nobody listens is refused, and no descriptor is left")
  func refused() throws {
    var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    let address = listener.localAddress
    listener.close()
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopySocket.connect(to: address) }
    #expect(failure?.code == .connectionRefused)
    #expect(failure?.errno == .connectionRefused)
    #expect(failure?.isSocketUsable == false)
  }

  @Test("A host that does not answer ends the connect when its time is up")
  func connectTimesOut() throws {
    // A listener whose queue is full drops the handshake, as a dead host does.
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(listener, $0, size)
        _ = listen(listener, 0)
        _ = getsockname(listener, $0, &size)
      }
    }
    let endpoint = Endpoint.tcp(host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port))
    let configuration = Configuration(connectTimeout: .milliseconds(200))
    let first = try ZeroCopySocket.connect(to: endpoint, configuration: configuration)
    var failure: ZeroCopyError?
    for _ in 0..<3 where failure == nil {
      failure = error { () throws(ZeroCopyError) in
        _ = try ZeroCopySocket.connect(to: endpoint, configuration: configuration)
      }
    }
    #expect(failure?.code == .timedOut)
    #expect(first.availability.isAvailable)
  }

  @Test("A name that does not resolve says so")
  func unresolved() {
    let failure = error { () throws(ZeroCopyError) in
      _ = try ZeroCopySocket.connect(to: "no-such-host.invalid:80")
    }
    #expect(failure?.code == .unresolvedName)
    #expect(failure?.description.contains("no-such-host.invalid") == true)
  }

  @Test("A datagram endpoint cannot be listened on")
  func datagramListener() {
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopyListener(binding: "udp:127.0.0.1:0") }
    #expect(failure?.code == .invalidEndpoint)
  }

  @Test("A port that is taken cannot be listened on")
  func portTaken() throws {
    let listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    let address = listener.localAddress
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopyListener(binding: address) }
    #expect(failure?.code == .listenFailed)
    #expect(failure?.errno == .addressInUse)
  }

  @Test("An accept ends when its time is up, and the listener goes on")
  func acceptTimesOut() throws {
    var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    do throws(ZeroCopyError) {
      _ = try listener.accept(timeout: .milliseconds(20))
      Issue.record("nobody connected")
    } catch {
      #expect(error.code == .timedOut)
    }
    let client = try ZeroCopySocket.connect(to: listener.localAddress)
    let server = try listener.accept(timeout: .seconds(10))
    #expect(server.peerAddress == client.localAddress)
  }

  @Test("A closed listener accepts nothing")
  func closedListener() throws {
    var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    listener.close()
    listener.close()
    do throws(ZeroCopyError) {
      _ = try listener.accept(timeout: .zero)
      Issue.record("it is closed")
    } catch {
      #expect(error.code == .closed)
    }
    #expect(listener.localAddress == "")
    #expect(listener.fileDescriptor.rawValue == -1)
  }
}
