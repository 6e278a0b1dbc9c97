import Glibc
import TestSupport
import Testing

/// `zerocopy send` to `zerocopy receive`.
@Suite("zerocopy send and receive")
struct TransferTests {
  static let modes = ["automatic", "zero-copy", "copy"]

  /// Sends with `arguments` before the endpoint, receives with `options` behind it.
  private func cross(
    _ send: [String], input: Tool.Input = .nothing, mode: String = "automatic",
    endpoint: String = "127.0.0.1:0", receive options: [String] = []
  ) throws -> (sender: Tool.Outcome, receiver: Tool.Outcome) {
    let receiver = try Tool(["receive", endpoint] + options)
    let announced = try #require(receiver.announcedEndpoint)
    let sender = try Tool.run(["send"] + send + [announced, "--mode", mode], input: input)
    let outcomes = (sender: sender, receiver: receiver.wait())
    // No progress bar where standard error is no terminal.
    for errors in [outcomes.0.errors, outcomes.1.errors] {
      #expect(!errors.utf8.contains(0x0D) && !errors.utf8.contains(0x1B))
    }
    return outcomes
  }

  @Test("A file crosses byte for byte, to a file and to standard output", arguments: modes)
  func file(_ mode: String) throws {
    try withFolder { folder in
      let bytes = randomBytes(5 << 20 + 123)
      let name = try folder.make("sent", bytes)
      // Longer than what comes: replaced, not written over.
      let received = try folder.makeSparse("received", size: 9 << 20)
      let first = try cross([name], mode: mode, receive: ["--output", received])
      #expect(first.sender.code == 0 && first.receiver.code == 0)
      #expect(try areEqual(contents(of: received), bytes))
      #expect(first.receiver.output.isEmpty)
      let second = try cross([name], mode: mode)
      #expect(second.sender.code == 0 && second.receiver.code == 0)
      #expect(areEqual(second.receiver.output, bytes))
      #expect(second.sender.text.contains("sent \(bytes.count) bytes"))
      #expect(second.receiver.errors.contains("received \(bytes.count) bytes"))
      #expect(second.sender.errors.isEmpty)
    }
  }

  private struct Report: Decodable {
    var action, peer: String
    var bytes: Int
    var seconds, cpuSeconds: Double
    var mode: String?
    var sends, zeroCopySends, completed, copied, fallbacks: Int?
  }

  @Test("As JSON the report counts what each mode sent, completed and copied", arguments: modes)
  func json(_ mode: String) throws {
    try withFolder { folder in
      let name = try folder.makeSparse("sent", size: 3 << 20)
      let outcome = try cross([name, "--json"], mode: mode, receive: ["--json", "--output", "/dev/null"])
      let sent = try decoded(Report.self, outcome.sender.output)
      #expect(sent.action == "sent" && sent.mode == mode && sent.bytes == 3 << 20)
      #expect(sent.completed == sent.zeroCopySends)
      #expect((sent.sends ?? 0) > 0)
      if mode == "copy" { #expect(sent.zeroCopySends == 0) }
      if mode == "zero-copy" {
        #expect(sent.zeroCopySends == sent.sends)
        #expect(sent.fallbacks == 0)
      }
      let line = try #require(outcome.receiver.errors.split(separator: "\n").last)
      let received = try decoded(Report.self, Array(line.utf8))
      #expect(received.action == "received" && received.bytes == 3 << 20)
      #expect(received.peer.hasPrefix("127.0.0.1:"))
    }
  }

  @Test("Standard input crosses byte for byte, also where it is more than all buffers hold", arguments: modes)
  func standardInput(_ mode: String) throws {
    let bytes = randomBytes(18 << 20 + 7, seed: 2)
    let outcome = try cross(["-"], input: .bytes(bytes), mode: mode)
    #expect(outcome.sender.code == 0 && outcome.receiver.code == 0)
    #expect(areEqual(outcome.receiver.output, bytes))
  }

  @Test("Empty standard input crosses as an empty stream", arguments: modes)
  func emptyInput(_ mode: String) throws {
    let outcome = try cross(["-"], mode: mode)
    #expect(outcome.sender.code == 0 && outcome.receiver.code == 0)
    #expect(outcome.receiver.output.isEmpty)
    #expect(outcome.receiver.errors.contains("received 0 bytes"))
  }

  @Test("A file as standard input, and small odd chunks, cross byte for byte")
  func oddChunks() throws {
    try withFolder { folder in
      let bytes = randomBytes(300_007, seed: 3)
      let name = try folder.make("sent", bytes)
      let input = try cross(["-", "--chunk", "4097"], input: .file(name), mode: "zero-copy")
      #expect(input.sender.code == 0 && input.receiver.code == 0)
      #expect(areEqual(input.receiver.output, bytes))
      let file = try cross([name, "--chunk", "1K"], mode: "zero-copy")
      #expect(file.sender.code == 0 && areEqual(file.receiver.output, bytes))
    }
  }

  @Test("Over IPv6, and over a UNIX path, a file crosses byte for byte")
  func otherFamilies() throws {
    try withFolder { folder in
      let bytes = randomBytes(100_001, seed: 4)
      let name = try folder.make("sent", bytes)
      for endpoint in ["[::1]:0", "unix:\(folder.file("socket"))"] {
        let outcome = try cross([name], endpoint: endpoint)
        #expect(outcome.sender.code == 0 && outcome.receiver.code == 0)
        #expect(areEqual(outcome.receiver.output, bytes))
      }
    }
  }

  @Test("Over vsock a file crosses byte for byte, without copying where the kernel has that", .vsock)
  func vsock() throws {
    try withFolder { folder in
      let bytes = randomBytes(3 << 20 + 5)
      let name = try folder.make("sent", bytes)
      let mode = Vsock.availability == .available ? "zero-copy" : "automatic"
      let outcome = try cross([name], mode: mode, endpoint: Vsock.freeEndpoint)
      #expect(outcome.sender.code == 0 && outcome.receiver.code == 0)
      #expect(areEqual(outcome.receiver.output, bytes))
      #expect(outcome.sender.text.contains("zero-copy 0") == (mode == "automatic"))
    }
  }

  @Test("Over a UNIX socket automatic copies and says so")
  func unixAutomatic() throws {
    try withFolder { folder in
      let bytes = randomBytes(1 << 20)
      let name = try folder.make("sent", bytes)
      let outcome = try cross([name], endpoint: Family.unix.freeEndpoint)
      #expect(outcome.sender.code == 0 && outcome.receiver.code == 0)
      #expect(areEqual(outcome.receiver.output, bytes))
      #expect(outcome.sender.text.contains("no zero copy for UNIX sockets"))
      #expect(outcome.sender.text.contains("zero-copy 0"))
    }
  }

  @Test(
    "Where zero copy cannot be had, asking for it fails before anything is sent", arguments: [true, false])
  func zeroCopyUnavailable(_ isSwitchedOff: Bool) throws {
    try withFolder { folder in
      let name = try folder.make("sent", randomBytes(1 << 20))
      let receiver = try Tool([
        "receive", isSwitchedOff ? "127.0.0.1:0" : Family.unix.freeEndpoint,
      ])
      let endpoint = try #require(receiver.announcedEndpoint)
      let sender = try Tool.run(
        ["send", name, endpoint, "--mode", "zero-copy"],
        environment: isSwitchedOff ? ["ZEROCOPY_DISABLE": "1"] : [:])
      #expect(sender.code == 1)
      #expect(sender.errors.contains(isSwitchedOff ? "ZEROCOPY_DISABLE" : "UNIX sockets"))
      #expect(sender.errors.contains("--mode automatic"))
      #expect(sender.output.isEmpty)
      #expect(receiver.wait().output.isEmpty)
    }
  }

  @Test(
    "A full disk at the receiver fails there, and the sender does not take it for success", arguments: modes)
  func fullDisk(_ mode: String) throws {
    try withFolder { folder in
      let name = try folder.makeSparse("sent", size: 64 << 20)
      let outcome = try cross([name], mode: mode, receive: ["--output", "/dev/full"])
      #expect(outcome.receiver.code == 1)
      #expect(outcome.receiver.errors.contains("/dev/full"))
      #expect(outcome.receiver.errors.contains("No space left"))
      #expect(outcome.sender.code == 1)
      #expect(outcome.sender.errors.contains("connection was lost"))
      #expect(outcome.sender.output.isEmpty)
    }
  }
}
