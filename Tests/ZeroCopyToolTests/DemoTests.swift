import TestSupport
import Testing

@Suite("zerocopy demo")
struct DemoTests {
  private struct Demonstration: Decodable {
    struct Row: Decodable {
      var mode: String
      var isEqual: Bool
      var comparedBytes, sends, completed, copied: Int
      var seconds, cpuSeconds: Double
      var note: String?
    }
    var source: String
    var bytes: Int
    var rows: [Row]
    var verdict: String
  }

  @Test("Generated data arrives byte for byte in each way, and the verdict says that loopback copies")
  func generated() throws {
    let outcome = try Tool.run(["demo", "--size", "3M"])
    #expect(outcome.code == 0)
    #expect(outcome.text.contains("3145728 bytes"))
    #expect(outcome.text.split(separator: "\n").filter { $0.hasSuffix("all 3145728 equal") }.count == 3)
    #expect(outcome.text.contains("copied them all"))
    #expect(outcome.text.contains("on loopback"))
    #expect(outcome.text.contains("zerocopy receive"))
    #expect(outcome.errors.isEmpty)
  }

  @Test("A file of an odd size arrives byte for byte", arguments: [1, 4095, 1_048_577])
  func file(_ size: Int) throws {
    try withFolder { folder in
      let name = try folder.make("payload", randomBytes(size))
      let outcome = try Tool.run(["demo", name])
      #expect(outcome.code == 0)
      #expect(outcome.text.contains(name))
      #expect(outcome.text.split(separator: "\n").filter { $0.hasSuffix("all \(size) equal") }.count == 3)
    }
  }

  @Test("As JSON it has the figures of each way")
  func json() throws {
    let outcome = try Tool.run(["demo", "--size", "2M", "--json"])
    #expect(outcome.code == 0)
    #expect(outcome.text.split(separator: "\n").count == 1)
    let demonstration = try decoded(Demonstration.self, outcome.output)
    #expect(demonstration.bytes == 2 << 20)
    #expect(demonstration.rows.map(\.mode) == ["copy", "zero-copy", "pool"])
    #expect(demonstration.rows.allSatisfy { $0.isEqual && $0.comparedBytes == 2 << 20 && $0.sends > 0 })
    #expect(demonstration.rows.first?.completed == 0)
    #expect(demonstration.rows.last.map { $0.completed == $0.sends && $0.copied == $0.completed } == true)
    #expect(demonstration.verdict.contains("loopback"))
  }

  @Test("Where zero copy is switched off it says so, fails, and sends nothing by zero copy")
  func switchedOff() throws {
    let environment = ["ZEROCOPY_DISABLE": "1"]
    let outcome = try Tool.run(["demo", "--size", "1M"], environment: environment)
    #expect(outcome.code == 1)
    #expect(outcome.text.contains("ZEROCOPY_DISABLE"))
    let json = try Tool.run(["demo", "--size", "1M", "--json"], environment: environment)
    #expect(json.code == 1)
    let rows = try decoded(Demonstration.self, json.output).rows
    #expect(rows.first?.isEqual == true)
    #expect(rows.last.map { $0.sends == 0 && $0.completed == 0 && !$0.isEqual } == true)
    #expect(rows.last?.note?.contains("ZEROCOPY_DISABLE") == true)
  }

  @Test("An empty file, a directory, a missing file and a device are told apart, and fail")
  func badFiles() throws {
    try withFolder { folder in
      let empty = try folder.make("empty", [])
      for (name, words) in [
        (empty, "empty"), (folder.path, "directory"), (folder.file("missing"), "No such file"),
        ("/dev/zero", "no regular file"),
      ] {
        let outcome = try Tool.run(["demo", name])
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains(words) && outcome.errors.contains(name))
        #expect(outcome.output.isEmpty)
      }
    }
  }
}
