import Glibc
import TestSupport
import Testing
import ZeroCopy

/// `zerocopy send` to a plain socket.
@Suite("zerocopy send")
struct SendTests {
  /// Starts a sender, does what the peer does with the connection, and waits for the sender.
  private func send(
    _ arguments: [String], _ options: [String] = [], input: Tool.Input = .nothing,
    receiveBuffer: CInt? = nil, peer: (CInt) throws -> Void
  ) throws -> Tool.Outcome {
    let listener = try RawPeer.Bound(receiveBuffer: receiveBuffer)
    defer { listener.close() }
    let sender = try Tool(["send"] + arguments + [listener.endpoint] + options, input: input)
    do {
      try peer(listener.accept())
    } catch {
      sender.kill(SIGKILL)
      _ = sender.wait()
      throw error
    }
    return sender.wait()
  }

  @Test("Any program can receive: it is a raw stream of bytes", arguments: TransferTests.modes)
  func rawStream(_ mode: String) throws {
    try withFolder { folder in
      let bytes = randomBytes(2 << 20 + 11, seed: 5)
      let name = try folder.make("sent", bytes)
      var received: [UInt8] = []
      let outcome = try send([name], ["--mode", mode]) { peer in
        received = try readToEnd(peer)
        close(peer)
      }
      #expect(areEqual(received, bytes))
      #expect(outcome.code == 0)
    }
  }

  @Test("Standard input in very small pieces takes no more memory than in large ones")
  func smallPieces() throws {
    var received: [UInt8] = []
    // Each buffer has a page of its own: 16 MiB of bytes would be 64 GiB of these.
    let outcome = try send(["-"], ["--chunk", "1"], input: .bytes(Array("hello".utf8))) { peer in
      received = try readToEnd(peer)
      close(peer)
    }
    #expect(received == Array("hello".utf8))
    #expect(outcome.code == 0)
  }

  @Test(
    "A peer that vanishes ends it with exit code 1 and how many bytes went", arguments: TransferTests.modes)
  func vanished(_ mode: String) throws {
    try withFolder { folder in
      let size = 64 << 20
      let name = try folder.makeSparse("sent", size: size)
      let outcome = try send([name], ["--mode", mode]) { peer in
        try RawPeer.drop(1 << 20, from: peer)
        RawPeer.reset(peer)
      }
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("connection was lost"))
      let words = outcome.errors.split(separator: " ")
      let position = try #require(words.firstIndex(of: "\(size)"))
      let handed = try #require(Int(words[position - 2]))
      #expect(handed >= 1 << 20 && handed < size)
      #expect(outcome.output.isEmpty)
    }
  }

  @Test(
    "A peer that vanishes while standard input is sent ends it as well", arguments: TransferTests.modes)
  func vanishedInput(_ mode: String) throws {
    let outcome = try send(["-"], ["--mode", mode], input: .file("/dev/zero")) { peer in
      try RawPeer.drop(1 << 20, from: peer)
      RawPeer.reset(peer)
    }
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("connection was lost"))
    #expect(outcome.errors.contains("bytes were handed to the kernel"))
  }

  @Test("A UNIX peer that goes away with bytes unread ends it: its kernel has thrown them away")
  func unixPeerGone() throws {
    try withFolder { folder in
      let name = try folder.make("sent", randomBytes(1000, seed: 6))
      let endpoint = "unix:@zerocopy-test-\(UInt64.random(in: 0 ... .max))"
      var listener = try ZeroCopyListener(binding: endpoint)
      let sender = try Tool(["send", name, endpoint])
      var peer = try listener.accept(timeout: .seconds(30))
      // One byte, so that the rest has been sent when the peer closes.
      #expect(try peer.readOneByte() == 1)
      try peer.close(timeout: .zero)
      let outcome = sender.wait()
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("connection was lost"))
    }
  }

  @Test("A peer that never reads ends it when the time-out is over", arguments: TransferTests.modes)
  func stalled(_ mode: String) throws {
    try withFolder { folder in
      let name = try folder.makeSparse("sent", size: 64 << 20)
      var kept: CInt = -1
      let outcome = try send([name], ["--mode", mode, "--timeout", "0.3"]) { kept = $0 }
      close(kept)
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("time was up"))
    }
  }

  @Test(
    "What only fills the socket's own buffer is no success: the peer has not acknowledged it",
    arguments: TransferTests.modes)
  func unacknowledged(_ mode: String) throws {
    try withFolder { folder in
      // More than the peer's buffer takes, less than the sender's.
      let name = try folder.makeSparse("sent", size: 256 << 10)
      var kept: CInt = -1
      let outcome = try send([name], ["--mode", mode, "--timeout", "0.3"], receiveBuffer: 4096) { kept = $0 }
      close(kept)
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("time was up"))
      #expect(outcome.output.isEmpty)
    }
  }

  @Test(
    "A slow peer that goes on moving is waited for, longer than the time-out", arguments: TransferTests.modes)
  func slow(_ mode: String) throws {
    try withFolder { folder in
      let size = 1 << 20
      let name = try folder.makeSparse("sent", size: size)
      let outcome = try send(
        [name], ["--mode", mode, "--chunk", "64K", "--timeout", "2"], receiveBuffer: 65536
      ) {
        peer in
        for _ in 0..<32 {
          usleep(100_000)
          try RawPeer.drop(size / 32, from: peer)
        }
        RawPeer.dropRest(of: peer)
        close(peer)
      }
      #expect(outcome.code == 0)
    }
  }

  @Test(
    "A file that becomes shorter while it is sent is an error that says so, and no crash",
    arguments: TransferTests.modes, [0, 5000, 8 << 20])
  func truncated(_ mode: String, _ rest: Int) throws {
    try withFolder { folder in
      let name = try folder.makeSparse("sent", size: 64 << 20)
      let outcome = try send([name], ["--mode", mode], receiveBuffer: 65536) { peer in
        try RawPeer.drop(1 << 20, from: peer)
        _ = try checked(truncate(name, rest), "truncate")
        RawPeer.dropRest(of: peer)
        close(peer)
      }
      #expect(outcome.signal == 0)
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("became shorter"))
      #expect(outcome.output.isEmpty)
    }
  }

  @Test("A refused connection fails, and names the endpoint")
  func refused() throws {
    try withFolder { folder in
      let name = try folder.make("sent", [1, 2, 3])
      // Bound and not listening: nobody else can have the port meanwhile.
      let bound = try RawPeer.Bound(listens: false)
      defer { bound.close() }
      for endpoint in [bound.endpoint, "unix:\(folder.file("nobody"))"] {
        let outcome = try Tool.run(["send", name, endpoint])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains(endpoint))
        #expect(outcome.errors.contains("start the receiver first"))
      }
    }
  }

  @Test("A name that does not resolve fails, and is named")
  func unresolved() throws {
    try withFolder { folder in
      let outcome = try Tool.run(["send", folder.make("sent", [1]), "no-such-host.invalid:9000"])
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("'no-such-host.invalid' does not resolve"))
    }
  }

  @Test("An empty file, a directory and a missing file are told apart before anybody is connected to")
  func badFiles() throws {
    try withFolder { folder in
      let empty = try folder.make("empty", [])
      let bound = try RawPeer.Bound(listens: false)
      defer { bound.close() }
      for (name, words) in [
        (empty, "empty"), (folder.path, "directory"), (folder.file("missing"), "No such file"),
      ] {
        let outcome = try Tool.run(["send", name, bound.endpoint])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains(words) && outcome.errors.contains(name))
      }
    }
  }

  @Test("On a terminal a progress bar is drawn, and taken away before the report")
  func progress() throws {
    try withFolder { folder in
      let name = try folder.makeSparse("sent", size: 4 << 20)
      let terminal = try Terminal()
      defer { terminal.close() }
      let listener = try RawPeer.Bound()
      defer { listener.close() }
      let sender = try Tool(["send", name, listener.endpoint], errorsTo: terminal.inner)
      let peer = try listener.accept()
      RawPeer.dropRest(of: peer)
      close(peer)
      #expect(sender.wait().code == 0)
      let drawn = terminal.takeDrawn()
      #expect(drawn.contains(" %") && drawn.contains("[#") && drawn.contains("/s"))
      #expect(drawn.hasSuffix("\r\u{1B}[K"))
    }
  }
}

/// A pseudo-terminal.
struct Terminal {
  /// What the command writes to.
  let inner: CInt
  private let outer: CInt

  init() throws {
    outer = try checked(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), "open /dev/ptmx")
    // TIOCSPTLCK and TIOCGPTN, which Swift cannot import: unlock it, and ask for its number.
    var (locked, number): (CInt, CInt) = (0, 0)
    _ = try checked(ioctl(outer, 0x4004_5431, &locked), "ioctl TIOCSPTLCK")
    _ = try checked(ioctl(outer, 0x8004_5430, &number), "ioctl TIOCGPTN")
    inner = try checked(open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC), "open the terminal")
  }

  /// What was written until now.
  func takeDrawn() -> String {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    _ = fcntl(outer, F_SETFL, O_NONBLOCK)
    while true {
      let count = read(outer, &buffer, buffer.count)
      if count <= 0 { return String(decoding: all, as: UTF8.self) }
      all += buffer[..<count]
    }
  }

  func close() {
    _ = Glibc.close(inner)
    _ = Glibc.close(outer)
  }
}
