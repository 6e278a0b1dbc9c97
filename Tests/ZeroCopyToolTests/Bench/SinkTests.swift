import Glibc
import TestSupport
import Testing
import ZeroCopy

@testable import ZeroCopyTool

/// `zerocopy sink` and who is none of its senders.
@Suite("zerocopy sink")
struct SinkTests {
  @Test("Who greets is welcome, and learns how much has arrived")
  func welcome() throws {
    try withSink("127.0.0.1:0") { endpoint, _ in
      let hello = Greeting(.hello, nonce: 42)
      let peer = try RawPeer.connect(to: endpoint)
      defer { close(peer) }
      // In two parts, as a network may bring it.
      try RawPeer.send(Array(hello.message[..<7]), to: peer)
      try RawPeer.send(Array(hello.message[7...]), to: peer)
      #expect(try answer(peer) == Greeting(.welcome, nonce: 42))
      try RawPeer.send(randomBytes(100_000), to: peer)
      shutdown(peer, CInt(SHUT_WR))
      #expect(try answer(peer) == Greeting(.soMuch, nonce: 42, bytes: 100_000))
    }
  }

  @Test("A stranger is refused, said so, and hung up on; others are served meanwhile and after")
  func strangers() throws {
    try withSink("127.0.0.1:0") { endpoint, sink in
      let silent = try RawPeer.connect(to: endpoint)
      defer { close(silent) }
      let browser = try RawPeer.connect(to: endpoint)
      defer { close(browser) }
      try RawPeer.send(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), to: browser)
      // By the end of the stream or by a reset, and without a byte.
      var byte: UInt8 = 0
      #expect(recv(browser, &byte, 1, 0) <= 0)
      #expect(sink.line(after: "refused 127.0.0.1:") != nil)
      let sender = try RawPeer.connect(to: endpoint)
      defer { close(sender) }
      try RawPeer.send(Greeting(.hello, nonce: 1).message, to: sender)
      #expect(try answer(sender)?.kind == .welcome)
      // Nor is who says nothing waited for without end.
      #expect(recv(silent, &byte, 1, 0) <= 0)
    }
  }

  @Test("Who greets in another version is told ours, and refused")
  func version() throws {
    try withSink("127.0.0.1:0") { endpoint, sink in
      var hello = Greeting(.hello, nonce: 5)
      hello.version = 200
      let peer = try RawPeer.connect(to: endpoint)
      defer { close(peer) }
      try RawPeer.send(hello.message, to: peer)
      #expect(try answer(peer)?.version == Greeting.version)
      #expect(try readToEnd(peer).isEmpty)
      let refusal = try #require(sink.line(after: "refused 127.0.0.1:"))
      #expect(refusal.contains("version 200, this is \(Greeting.version)"))
    }
  }

  @Test("Datagrams count for who has greeted; of others none is answered")
  func datagrams() throws {
    try withSink("udp:127.0.0.1:0") { endpoint, _ in
      var stranger = try ZeroCopySocket.connect(
        to: endpoint, configuration: Configuration(readTimeout: .milliseconds(300)))
      for garbage in [
        [], Array("hello?".utf8), [UInt8](repeating: 7, count: Greeting.size), randomBytes(9000),
      ] {
        try stranger.writeAndFlush(garbage.span, timeout: .seconds(5), mode: .copy)
      }
      try stranger.writeAndFlush(Greeting(.howMuch, nonce: 3).message.span, timeout: .seconds(5), mode: .copy)
      var buffer = [UInt8](repeating: 0, count: 100)
      #expect(throws: ZeroCopyError.self) {
        var span = buffer.mutableSpan
        _ = try stranger.read(into: &span)
      }
      var socket = try GreetedSocket.connect(to: Endpoint(parsing: endpoint))
      for _ in 0..<3 { try socket.writeAndFlush(randomBytes(1000).span, timeout: .seconds(5), mode: .copy) }
      let told = try GreetedSocket.end(&socket, Endpoint(parsing: endpoint))
      #expect(told.kind == .soMuch && told.bytes == 3000 && told.datagrams == 3)
    }
  }

  @Test("A sender that has gone without a word is noticed, however long it may be silent")
  func keepAlive() throws {
    try withSink("127.0.0.1:0") { endpoint, _ in
      let peer = try RawPeer.connect(to: endpoint)
      defer { close(peer) }
      try RawPeer.send(Greeting(.hello, nonce: 1).message, to: peer)
      #expect(try answer(peer)?.kind == .welcome)
      let port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
      var timer = try #require(try Self.timer(localPort: port, ours: peer))
      // What it has sent may be unacknowledged for a moment, and has a timer of its own.
      for _ in 0..<100 where timer.kind != 2 {
        usleep(20_000)
        timer = try #require(try Self.timer(localPort: port, ours: peer))
      }
      #expect(timer.kind == 2, "none for keepalive")
      // In hundredths of a second.
      #expect(timer.left <= 6000)
    }
  }

  /// What the kernel shows of the timer of a TCP connection's other end, which is on this machine.
  private static func timer(localPort: UInt16, ours: CInt) throws -> (kind: Int, left: Int)? {
    func hex(_ port: UInt16) -> String {
      let digits = String(port, radix: 16, uppercase: true)
      return String(repeating: "0", count: 4 - digits.count) + digits
    }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = try withUnsafeMutablePointer(to: &address) {
      try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try checked(getsockname(ours, $0, &length), "getsockname")
      }
    }
    let ends = (":" + hex(localPort), ":" + hex(UInt16(bigEndian: address.sin_port)))
    let lines = try String(decoding: contents(of: "/proc/net/tcp"), as: UTF8.self).split(separator: "\n")
    for fields in lines.map({ $0.split(separator: " ") })
    where fields.count > 5 && fields[1].hasSuffix(ends.0) && fields[2].hasSuffix(ends.1) {
      let parts = fields[5].split(separator: ":").compactMap { Int($0, radix: 16) }
      if parts.count == 2 { return (parts[0], parts[1]) }
    }
    return nil
  }

  @Test("A sink that has gone before the end is told as that, and nobody is called a stranger")
  func goneAtTheEnd() throws {
    let sink = try FalseSink(connections: 1) { _ in nil }
    let endpoint = try Endpoint(parsing: sink.endpoint)
    var socket = try GreetedSocket.connect(to: endpoint)
    try socket.writeAndFlush(randomBytes(100_000).span, timeout: .seconds(5), mode: .copy)
    let told = try goneWords { try GreetedSocket.end(&socket, endpoint) }
    #expect(told.contains("it has hung up"))
    try sink.wait()
  }

  @Test("So is one of datagrams, that has ended, or was started anew", arguments: [false, true])
  func datagramsGoneAtTheEnd(_ isAnew: Bool) throws {
    let bound = try RawPeer.Bound(isDatagram: true)
    let endpoint = try Endpoint(parsing: "udp:" + bound.endpoint)
    let greeting = Background {
      _ = try bound.take { Greeting($0).map { Greeting(.welcome, nonce: $0.nonce).message } }
      if !isAnew { bound.close() }
    }
    var socket = try GreetedSocket.connect(to: endpoint)
    try greeting.value()
    defer { if isAnew { bound.close() } }
    // Who was started anew has not heard of us, and says nothing.
    _ = try goneWords { try GreetedSocket.end(&socket, endpoint) }
  }

  /// The words of a failure that has to say that the sink has gone.
  private func goneWords(_ body: () throws -> Greeting) throws -> String {
    let failure = #expect(throws: Failure.self) { _ = try body() }
    let words = try #require(failure).description
    #expect(words.contains("has not said what it received"))
    #expect(!words.contains("nothing was sent"))
    return words
  }

  @Test("An endpoint where it cannot listen is named")
  func taken() throws {
    let other = try RawPeer.Bound()
    defer { other.close() }
    let outcome = try Tool.run(["sink", other.endpoint])
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("cannot listen on \(other.endpoint)"))
    #expect(try Tool.run(["sink", "udp:192.0.2.1:9"]).errors.contains("cannot listen on udp:192.0.2.1:9"))
    #expect(try Tool.run(["sink", "nonsense"]).code == 64)
  }

  private func answer(_ peer: CInt) throws -> Greeting? {
    var message = [UInt8](repeating: 0, count: Greeting.size)
    guard recv(peer, &message, message.count, CInt(MSG_WAITALL)) == message.count else { return nil }
    return Greeting(message)
  }
}

/// A sink that is interrupted when the body has ended.
func withSink(_ endpoint: String, _ body: (_ endpoint: String, Tool) throws -> Void) throws {
  let sink = try Tool(["sink", endpoint])
  defer { _ = sink.wait() }
  defer { sink.kill(SIGINT) }
  try body(#require(sink.announcedEndpoint), sink)
}
