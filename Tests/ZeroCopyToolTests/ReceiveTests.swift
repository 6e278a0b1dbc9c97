import Glibc
import TestSupport
import Testing

/// `zerocopy receive` from a plain socket.
@Suite("zerocopy receive")
struct ReceiveTests {
  @Test("Any program can send: a raw stream of bytes goes to standard output")
  func rawStream() throws {
    let bytes = randomBytes(2 << 20 + 13, seed: 6)
    let receiver = try Tool(["receive", "127.0.0.1:0"])
    let peer = try RawPeer.connect(to: #require(receiver.announcedEndpoint))
    try RawPeer.send(bytes, to: peer)
    close(peer)
    let outcome = receiver.wait()
    #expect(outcome.code == 0)
    #expect(areEqual(outcome.output, bytes))
  }

  @Test("A free port is announced, not port 0")
  func freePort() throws {
    let receiver = try Tool(["receive", "127.0.0.1:0"])
    let endpoint = try #require(receiver.announcedEndpoint)
    #expect(endpoint.hasPrefix("127.0.0.1:"))
    #expect((UInt16(endpoint.dropFirst("127.0.0.1:".count)) ?? 0) > 0)
    close(try RawPeer.connect(to: endpoint))
    #expect(receiver.wait().code == 0)
  }

  @Test("A sender that vanishes is a failure, and says what was written before")
  func vanished() throws {
    try withFolder { folder in
      let output = folder.file("received")
      let receiver = try Tool(["receive", "127.0.0.1:0", "--output", output])
      let peer = try RawPeer.connect(to: #require(receiver.announcedEndpoint))
      try RawPeer.send(randomBytes(1000), to: peer)
      // A reset discards what was not read: let it be read first.
      while try contents(of: output).count < 1000 { usleep(1000) }
      RawPeer.reset(peer)
      let outcome = receiver.wait()
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("connection was lost"))
      #expect(outcome.errors.contains("1000 bytes were written"))
    }
  }

  @Test(
    "Where nobody connects, or nothing comes, it ends when the time-out is over", arguments: [true, false])
  func timeout(_ connects: Bool) throws {
    let receiver = try Tool(["receive", "127.0.0.1:0", "--timeout", connects ? "2" : "0.2"])
    let endpoint = try #require(receiver.announcedEndpoint)
    let peer = connects ? try RawPeer.connect(to: endpoint) : -1
    let outcome = receiver.wait()
    if connects { close(peer) }
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("time was up"))
  }

  @Test("An output that cannot be written fails before anybody can connect")
  func badOutput() throws {
    try withFolder { folder in
      for output in [folder.path, folder.file("missing/file")] {
        let outcome = try Tool.run(["receive", "127.0.0.1:0", "--output", output])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains("cannot write '\(output)'"))
        #expect(!outcome.errors.contains("listening"))
      }
    }
  }

  @Test("An endpoint that is taken is named, and the output is left as it was")
  func taken() throws {
    try withFolder { folder in
      let output = try folder.make("received", [1, 2, 3])
      let other = try RawPeer.Bound()
      defer { other.close() }
      let outcome = try Tool.run(["receive", other.endpoint, "--output", output])
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("cannot listen on \(other.endpoint)"))
      #expect(try contents(of: output) == [1, 2, 3])
    }
  }

  @Test("An interrupt ends it by the signal, as other commands")
  func interrupt() throws {
    let receiver = try Tool(["receive", "127.0.0.1:0"])
    _ = try #require(receiver.announcedEndpoint)
    receiver.kill(SIGINT)
    #expect(receiver.wait().signal == SIGINT)
  }
}
