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
        try stranger.read(into: &span)
      }
      var socket = try GreetedSocket.connect(to: Endpoint(parsing: endpoint))
      for _ in 0..<3 { try socket.writeAndFlush(randomBytes(1000).span, timeout: .seconds(5), mode: .copy) }
      let told = try GreetedSocket.end(&socket, Endpoint(parsing: endpoint))
      #expect(told.kind == .soMuch && told.bytes == 3000 && told.datagrams == 3)
    }
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
