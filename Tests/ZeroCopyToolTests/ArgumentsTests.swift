import Testing

@testable import ZeroCopyTool

@Suite("Arguments")
struct ArgumentsTests {
  @Test(
    "Byte counts take K, M and G, in either case, as powers of 1024",
    arguments: [("1", 1), ("128K", 128 << 10), ("3m", 3 << 20), ("2G", 2 << 30)])
  func byteCount(_ text: String, _ count: Int) throws {
    #expect(try parseByteCount(text) == count)
  }

  @Test(
    "What is no byte count above 0 is refused",
    arguments: ["", "0", "-1", "K", "1.5M", "1KB", "x", "9223372036854775807G", "99999999999999999999"])
  func noByteCount(_ text: String) {
    #expect(throws: (any Error).self) { try parseByteCount(text) }
  }

  @Test("Time-outs are seconds, broken ones too")
  func timeout() throws {
    #expect(try parseTimeout("2") == .seconds(2))
    #expect(try parseTimeout("0.25") == .milliseconds(250))
    // Never rounded to none at all.
    #expect(try parseTimeout("0.00001") == .milliseconds(1))
  }

  @Test("What is no time-out above 0 is refused", arguments: ["", "0", "-1", "nan", "inf", "1e10", "5s"])
  func noTimeout(_ text: String) {
    #expect(throws: (any Error).self) { try parseTimeout(text) }
  }

  @Test(
    "A wrong argument is wrong usage: exit code 64, and the message names it",
    arguments: [
      (["send", "FILE", "127.0.0.1"], "the port is missing"),
      (["send", "FILE", "::1:9000"], "in brackets"),
      (["send", "FILE", "127.0.0.1:65536"], "65536"),
      (["receive", "127.0.0.1:x"], "'x' is no port"),
      (["receive", "unix:"], "path is empty"),
      (["send", "FILE", "udp:127.0.0.1:9000"], "datagram"),
      (["receive", "udp:127.0.0.1:9000"], "datagram"),
      (["send", "FILE", "127.0.0.1:9000", "--mode", "fast"], "zero-copy"),
      (["send", "FILE", "127.0.0.1:9000", "--timeout", "soon"], "soon"),
      (["send", "FILE", "127.0.0.1:9000", "--chunk", "0"], "'0' is no number of bytes above 0"),
      (["send", "FILE", "127.0.0.1:9000", "--chunk", "2000G"], "1024G"),
      (["send", "FILE", "127.0.0.1:9000", "--timeout", "1e10"], "1000000000"),
      (["demo", "--size", "much"], "much"),
      (["send", "FILE"], "<endpoint>"),
      (["demo", "--sise", "1M"], "--size"),
      (["sent"], "sent"),
    ])
  func wrongUsage(_ arguments: [String], _ words: String) throws {
    let outcome = try Tool.run(arguments)
    #expect(outcome.code == 64)
    #expect(outcome.errors.contains(words))
    #expect(outcome.output.isEmpty)
  }

  @Test("Help and version go to standard output and succeed")
  func help() throws {
    let help = try Tool.run(["--help"])
    #expect(help.code == 0)
    for word in ["demo", "send", "receive", "doctor", "HOST:PORT", "ZEROCOPY_DISABLE"] {
      #expect(help.text.contains(word))
    }
    #expect(help.errors.isEmpty)
    for command in ["demo", "send", "receive", "doctor"] {
      #expect(try Tool.run([command, "--help"]).code == 0)
    }
    #expect(try Tool.run(["--version"]).code == 0)
  }
}
