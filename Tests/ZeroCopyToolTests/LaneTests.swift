import Foundation
import TestSupport
import Testing

@Suite("zerocopy lane")
struct LaneTests {
  /// Whether the two commands that a lane is made with are here.
  private static let hasCommands = ["ip", "tc"].allSatisfy { name in
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
    }
  }

  @Test("A lane that cannot be had is told in one line, with an exit code of its own")
  func unavailable() throws {
    let noCommands = try Tool.run(["lane", "sink", "--", "true"], environment: ["PATH": "/nowhere"])
    #expect(
      noCommands.errors == """
        there is no lane 'sink' here: it needs the commands ip and tc (package iproute2)

        """)
    #expect(noCommands.code == 77)
    guard Self.hasCommands else { return }
    let noRoot = try Tool.run(["lane", "wire", "--user-namespace", "--", "true"])
    #expect(
      noRoot.errors == """
        there is no lane 'wire' here: the wire needs root of this machine; the sink does not

        """)
    #expect(noRoot.code == 77)
  }

  @Test(
    "Where user namespaces are not allowed, that is said", .enabled(if: hasCommands && isRoot, "needs root"))
  func noUserNamespaces() throws {
    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\""
    let outcome = try Tool.run(
      ["lane", "sink", "--user-namespace", "--", "true"],
      through: ["unshare", "--user", "--map-root-user", "sh", "-ec", forbid, "sh"])
    #expect(outcome.errors.contains("there is no lane 'sink' here: user namespaces are not allowed"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
    #expect(outcome.code == 77)
  }

  @Test("Wrong usage is told before anything is made")
  func usage() throws {
    #expect(try Tool.run(["lane", "sink"]).code == 64)
    #expect(try Tool.run(["lane", "puddle", "--", "true"]).code == 64)
    let late = try Tool.run(["lane", "sink", "--late", "card", "--", "true"])
    #expect(late.code == 64)
    #expect(late.errors.contains("only the wire can be late"))
  }

  @Suite("where there is one", .enabled(if: hasCommands && isRoot, "needs root and iproute2"))
  struct Entered {
    @Test("It becomes the command, whose exit code and output are those of the lane")
    func becomesTheCommand() throws {
      let outcome = try Tool.run(["lane", "sink", "--", "sh", "-c", "echo $ZEROCOPY_LANE; exit 7"])
      #expect(outcome.text == "sink\n")
      #expect(outcome.code == 7)
      let missing = try Tool.run(["lane", "sink", "--", "no-such-command"])
      #expect(missing.errors.contains("cannot run 'no-such-command'"))
      #expect(missing.code == 1)
    }

    @Test("Several at once do not see each other")
    func apart() throws {
      let devices = ["lane", "sink", "--", "ls", "/sys/class/net"]
      let lanes = try (0..<4).map { _ in try Tool(["lane", "wire", "--", "ip", "-brief", "link"]) }
      for lane in lanes {
        let outcome = lane.wait()
        #expect(outcome.code == 0)
        // Itself, and one end of one wire.
        #expect(outcome.text.split(separator: "\n").map { $0.prefix(2) } == ["lo", "w0"])
      }
      #expect(try Tool.run(devices).code == 0)
    }

    @Test("A file goes over the wire from one network to the other, and nothing is copied")
    func transfer() throws {
      let script = """
        at_other_end() { nsenter --net=$ZEROCOPY_LANE_PEER_NETWORK "$@"; }
        at_other_end "$0" receive 10.77.0.2:9000 >/dev/null &
        until "$0" send --mode zero-copy --json "$0" 10.77.0.2:9000; do sleep 0.05; done
        wait $!
        """
      let outcome = try Tool.run(["lane", "wire", "--", "sh", "-c", script, Tool.path])
      #expect(outcome.code == 0)
      let report = try decoded(Report.self, outcome.output)
      #expect(report.completed > 0)
      #expect(report.copied == 0)
    }

    private struct Report: Decodable { var completed, copied: Int }

    @Test(
      "A killed command leaves nothing behind: no network, no busy processor", arguments: [SIGINT, SIGKILL])
    func interrupted(signal: CInt) throws {
      let lane = try Tool(
        ["lane", "wire", "--late", "card", "--", "sh", "-c", "echo ready $$ >&2; exec sleep 100"])
      let process = try #require(lane.line(after: "ready "))
      let children = try String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
        .split(separator: " ")
      #expect(children.count == 1)
      #expect(hasThread("napi/p\(process)-"))
      lane.kill(signal)
      #expect(lane.wait().signal == signal)
      // The kernel takes all of it away by and by.
      waitUntil { !hasThread("napi/p\(process)-") }
      waitUntil { !FileManager.default.fileExists(atPath: "/proc/\(children[0])") }
    }

    /// Whether the kernel runs a thread whose name begins so.
    private func hasThread(_ beginning: String) -> Bool {
      let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
      return processes.contains { Int($0) != nil && firstBytes(of: "/proc/\($0)/comm").hasPrefix(beginning) }
    }

    /// Not Foundation's: it leaks where a process ends in the middle of it.
    private func firstBytes(of path: String) -> String {
      let file = open(path, O_RDONLY | O_CLOEXEC)
      guard file >= 0 else { return "" }
      defer { close(file) }
      var bytes = [UInt8](repeating: 0, count: 256)
      let count = read(file, &bytes, bytes.count)
      return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    private func waitUntil(_ isTrue: () -> Bool) {
      for _ in 0..<1000 where !isTrue() { usleep(10_000) }
      #expect(isTrue())
    }
  }
}
