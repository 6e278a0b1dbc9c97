import Glibc
import TestSupport
import Testing

@testable import ZeroCopyTool

/// `zerocopy bench`: what it does, and not what anything costs.
@Suite("zerocopy bench")
struct BenchTests {
  private struct Report: Decodable {
    struct Cell: Decodable {
      struct Outcome: Decodable {
        var subject: String
        var cpuSecondsPerGib: Double?
        var ofCopy: Double?
        var note: String?
      }
      var span: String
      var size: Int
      var outcomes: [Outcome]
    }
    struct Verdict: Decodable {
      var spread: Double?
      var sentences: [String]
    }
    var target, transport: String
    var cells: [Cell]
    var verdict: Verdict
  }

  private static let few = ["--quick", "--sizes", "16K", "--rounds", "2", "--connections", "1"]

  @Test("On loopback every subject is measured, as JSON, in a file and as a chart")
  func loopback() throws {
    try withFolder { folder in
      let (saved, chart) = (folder.file("figures.json"), folder.file("chart.svg"))
      let outcome = try Tool.run(
        ["bench", "loopback", "--json", "--save", saved, "--chart", chart] + Self.few)
      #expect(outcome.errors.isEmpty)
      #expect(outcome.code == 0)
      let report = try decoded(Report.self, outcome.output)
      #expect(report.target == "loopback" && report.transport == "TCP")
      #expect(report.cells.map(\.span) == ["hot", "cold"])
      for cell in report.cells {
        #expect(cell.outcomes.map(\.subject) == Subject.ofLibrary.map(\.rawValue))
        for outcome in cell.outcomes {
          // A limit of an ordinary user is said, and nothing else keeps a subject from being measured.
          #expect(outcome.cpuSecondsPerGib != nil || outcome.note != nil)
        }
      }
      #expect(!report.verdict.sentences.isEmpty)
      #expect(areEqual(try contents(of: saved), outcome.output))
      try expectWellFormed(String(decoding: contents(of: chart), as: UTF8.self))
    }
  }

  @Test(
    "To an endpoint it goes where a sink has answered, by streams and by datagrams", arguments: ["", "udp:"])
  func endpoint(_ scheme: String) throws {
    try withSink("\(scheme)127.0.0.1:0") { endpoint, _ in
      let outcome = try Tool.run(["bench", endpoint, "--subjects", "zero-copy,copy-again"] + Self.few)
      #expect(outcome.code == 0)
      #expect(outcome.text.contains("spread: two equal subjects differ by"))
      #expect(outcome.text.contains("pays"))
      #expect(!outcome.text.contains("huge"), "they were not asked for")
      #expect(outcome.text.contains("arrived: ") == (scheme == "udp:"))
    }
  }

  @Test("Over vsock it goes as over any stream", .vsockZeroCopy)
  func vsock() throws {
    try withSink(Vsock.freeEndpoint) { endpoint, _ in
      let outcome = try Tool.run(["bench", endpoint, "--json"] + Self.few)
      #expect(outcome.code == 0)
      let report = try decoded(Report.self, outcome.output)
      #expect(report.transport == "vsock")
      #expect(report.cells.allSatisfy { $0.outcomes.allSatisfy { $0.cpuSecondsPerGib != nil } })
    }
  }

  @Test(
    "In a lane it sets that up itself, and leaves the figures for who reads them",
    .enabled(if: mayMakeLanes, "needs root and iproute2"),
    arguments: ["sink", "wire"])
  func lane(_ lane: String) throws {
    let outcome = try Tool.run(["bench", lane] + Self.few)
    if outcome.code == 77 { return }
    #expect(outcome.code == 0)
    #expect(outcome.text.hasPrefix(lane == "sink" ? "sink, UDP" : "wire, TCP"))
    #expect(outcome.text.contains("automatic / best"))
  }

  @Test("A lane that cannot be had is told in one line, with the exit code of 'zerocopy lane'")
  func noLane() throws {
    let outcome = try Tool.run(["bench", "sink"], environment: ["PATH": "/nowhere"])
    #expect(
      outcome.errors == "there is no lane 'sink' here: it needs the commands ip and tc (package iproute2)\n")
    #expect(outcome.code == 77)
  }

  enum Stranger: CaseIterable {
    case silent, echoes, hangsUp, greetsItself
  }

  @Test("Nothing but a greeting goes to a stranger, and that is an error, soon", arguments: Stranger.allCases)
  func stranger(_ stranger: Stranger) throws {
    let bound = try RawPeer.Bound()
    defer { bound.close() }
    let bench = try Tool(["bench", bound.endpoint] + Self.few)
    let peer = try bound.accept()
    defer { close(peer) }
    switch stranger {
    case .silent: break
    case .greetsItself: try RawPeer.send(Array("220 mail.example ESMTP\r\n".utf8), to: peer)
    case .hangsUp: shutdown(peer, CInt(SHUT_RDWR))
    case .echoes:
      var message = [UInt8](repeating: 0, count: Greeting.size)
      #expect(recv(peer, &message, message.count, CInt(MSG_WAITALL)) == message.count)
      try RawPeer.send(message, to: peer)
    }
    let outcome = bench.wait()
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("what answers at \(bound.endpoint) is no 'zerocopy sink'"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
    if stranger == .silent { #expect(try readToEnd(peer).count == Greeting.size) }
  }

  @Test("Nor does a datagram but the greeting go to a stranger", arguments: [Stranger.silent, .echoes])
  func datagramStranger(_ stranger: Stranger) throws {
    let bound = try RawPeer.Bound(isDatagram: true)
    defer { bound.close() }
    let bench = try Tool(["bench", "udp:" + bound.endpoint] + Self.few)
    let first = try #require(try bound.take { stranger == .echoes ? $0 : nil })
    let outcome = bench.wait()
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("what answers at udp:\(bound.endpoint) is no 'zerocopy sink'"))
    #expect(outcome.errors.contains("nothing was sent but the greeting"))
    #expect(Greeting(first)?.kind == .hello)
    // What has come since is the same again.
    _ = fcntl(bound.descriptor, F_SETFL, O_NONBLOCK)
    while let next = try bound.take() { #expect(next == first) }
  }

  @Test("Where less has arrived than was sent, the figures are not believed")
  func lost() throws {
    let sink = try FalseSink(connections: 3) { $0 - 1 }
    let outcome = try Tool.run(["bench", sink.endpoint, "--subjects", "zero-copy"] + Self.few)
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains(" bytes have arrived of the "))
    try sink.wait()
  }

  @Test("What was measured before the sink has gone is reported all the same, and that it is not all")
  func halfWay() throws {
    try withFolder { folder in
      // One to look whether zero copy is there, and two for the first size.
      let sink = try FalseSink(connections: 3) { $0 }
      let saved = folder.file("figures.json")
      let outcome = try Tool.run([
        "bench", sink.endpoint, "--quick", "--subjects", "zero-copy", "--sizes", "4K,8K", "--rounds", "2",
        "--connections", "0", "--save", saved,
      ])
      #expect(outcome.code == 1)
      #expect(outcome.text.contains("\nhot: ") && outcome.text.contains("\n4 KiB  "))
      #expect(!outcome.text.contains("8 KiB"))
      #expect(outcome.errors.contains(sink.endpoint))
      #expect(try decoded(Report.self, contents(of: saved)).cells.map(\.size) == [4096])
      try sink.wait()
    }
  }

  @Test("On a terminal it says where it is, and takes that away before the report")
  func progress() throws {
    let terminal = try Terminal()
    defer { terminal.close() }
    let bench = try Tool(["bench", "loopback"] + Self.few, errorsTo: terminal.inner)
    #expect(bench.wait().code == 0)
    let drawn = terminal.takeDrawn()
    #expect(drawn.contains("] 0 % hot, 16 KiB, new connection 1 of 1"))
    #expect(drawn.hasSuffix("\r\u{1B}[K"))
  }

  @Test("A sink of another version is told apart from a stranger")
  func version() throws {
    let bound = try RawPeer.Bound()
    defer { bound.close() }
    let bench = try Tool(["bench", bound.endpoint])
    let peer = try bound.accept()
    defer { close(peer) }
    var message = [UInt8](repeating: 0, count: Greeting.size)
    #expect(recv(peer, &message, message.count, CInt(MSG_WAITALL)) == message.count)
    var answer = Greeting(.welcome, nonce: try #require(Greeting(message)).nonce)
    answer.version = 7
    try RawPeer.send(answer.message, to: peer)
    let outcome = bench.wait()
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("speaks version 7 of the greeting, and this is \(Greeting.version)"))
  }

  @Test("Where nobody listens that is said, with the command to run there", arguments: ["", "udp:"])
  func nobody(_ scheme: String) throws {
    let bound = try RawPeer.Bound(listens: false)
    defer { bound.close() }
    let outcome = try Tool.run(["bench", scheme + bound.endpoint])
    #expect(outcome.errors.contains("run there: zerocopy sink \(scheme)\(bound.endpoint)"))
    #expect(outcome.code == 1)
  }

  @Test("Where zero copy cannot be had there is nothing to compare")
  func nothingToCompare() throws {
    try withFolder { folder in
      try withSink("unix:\(folder.file("socket"))") { endpoint, _ in
        let outcome = try Tool.run(["bench", endpoint])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains("there is nothing to compare"))
      }
    }
  }

  @Test("A file that cannot be written is told before minutes are spent")
  func badOutput() throws {
    for option in ["--save", "--chart"] {
      let outcome = try Tool.run(["bench", "loopback", option, "/nowhere/file"])
      #expect(outcome.code == 1)
      #expect(outcome.errors.contains("cannot write '/nowhere/file'"))
    }
  }

  @Test(
    "Wrong usage is told before anything is made",
    arguments: [
      ["puddle"], ["loopback", "--sizes", "0"], ["loopback", "--sizes", "4K,,8K"],
      ["loopback", "--sizes", "1G"],
      ["loopback", "--sizes", "40"], ["sink", "--sizes", "128K"], ["sink", "--subjects", "magic"],
      ["loopback", "--subjects", ""],
      ["sink", "--rounds", "0"], ["sink", "--connections", "-1"],
    ])
  func usage(_ arguments: [String]) throws {
    #expect(try Tool.run(["bench"] + arguments).code == 64)
  }
}

/// Whether lanes can be made here: by root, with two commands.
var mayMakeLanes: Bool { mayMakeNetworks && hasProgram("ip") && hasProgram("tc") }

private func hasProgram(_ name: String) -> Bool {
  let path = getenv("PATH").map { String(cString: $0) } ?? ""
  return path.split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
}

/// Elements are nested and closed, attributes quoted, and there is one around all.
func expectWellFormed(_ xml: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
  var open: [Substring] = []
  var elements = 0
  var rest = xml[...]
  while let begin = rest.firstIndex(of: "<") {
    #expect(!rest[..<begin].contains(">"), sourceLocation: sourceLocation)
    let end = try #require(rest[begin...].firstIndex(of: ">"), sourceLocation: sourceLocation)
    let tag = rest[rest.index(after: begin)..<end]
    rest = rest[rest.index(after: end)...]
    #expect(!tag.contains("<") && tag.count { $0 == "\"" } % 2 == 0, "\(tag)", sourceLocation: sourceLocation)
    if tag.hasPrefix("/") {
      #expect(open.popLast() == tag.dropFirst(), sourceLocation: sourceLocation)
    } else if !tag.hasSuffix("/") {
      open.append(tag.prefix { $0 != " " })
    }
    elements += 1
  }
  #expect(open.isEmpty && elements > 10, sourceLocation: sourceLocation)
  #expect(xml.hasPrefix("<svg ") && xml.hasSuffix("</svg>\n"), sourceLocation: sourceLocation)
}
