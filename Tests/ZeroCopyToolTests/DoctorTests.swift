import TestSupport
import Testing

@Suite("zerocopy doctor")
struct DoctorTests {
  @Test("It tells of each family, of the limits, and gives a verdict")
  func text() throws {
    let outcome = try Tool.run(["doctor"])
    #expect(outcome.code == 0)
    for beginning in ["kernel", "TCP", "UDP", "UNIX", "vsock", "locked memory", "notification memory"] {
      #expect(outcome.text.split(separator: "\n").contains { $0.hasPrefix(beginning + " ") })
    }
    #expect(outcome.text.contains("can send without copying"))
    #expect(outcome.errors.isEmpty)
  }

  private struct Diagnosis: Decodable {
    struct Support: Decodable {
      var isAvailable: Bool
      var note: String
    }
    struct Shortage: Decodable {
      var what: String
      var remedy: String
    }
    var kernel: String
    var tcp, udp, unix, vsock: Support
    var isLockedMemoryLifted: Bool
    var shortages: [Shortage]
    var verdict: String
  }

  @Test("As JSON it is one line that a program can read")
  func json() throws {
    let outcome = try Tool.run(["doctor", "--json"])
    #expect(outcome.code == 0)
    #expect(outcome.text.split(separator: "\n").count == 1)
    let diagnosis = try decoded(Diagnosis.self, outcome.output)
    #expect(diagnosis.tcp.isAvailable && diagnosis.udp.isAvailable)
    #expect(!diagnosis.unix.isAvailable && !diagnosis.vsock.note.isEmpty)
    // Without a connection of its own it can say what the kernel has, and not what the way to a CID has.
    if let vsock = Vsock.availability { #expect(diagnosis.vsock.isAvailable == vsock.isAvailable) }
    #expect(!diagnosis.kernel.isEmpty)
    #expect(diagnosis.shortages.allSatisfy { !$0.remedy.isEmpty })
  }

  @Test("Where zero copy is switched off it fails, and names the remedy")
  func switchedOff() throws {
    let environment = ["ZEROCOPY_DISABLE": "1"]
    let outcome = try Tool.run(["doctor"], environment: environment)
    #expect(outcome.code == 1)
    #expect(outcome.text.contains("cannot send without copying"))
    #expect(outcome.text.contains("unset ZEROCOPY_DISABLE"))
    let json = try Tool.run(["doctor", "--json"], environment: environment)
    #expect(json.code == 1)
    let diagnosis = try decoded(Diagnosis.self, json.output)
    #expect(!diagnosis.tcp.isAvailable)
    #expect(diagnosis.shortages.contains { $0.remedy == "unset ZEROCOPY_DISABLE" })
  }

  private struct WithPath: Decodable {
    struct Path: Decodable {
      var isAvailable, isLocal: Bool
      var mtu: Int?
      var size, sends, completed, copied: Int
      var limits: [String]
      var verdict: String
    }
    var path: Path?
  }

  @Test("Of a path over loopback it says that the kernel copies every send", arguments: ["", "udp:"])
  func path(_ scheme: String) throws {
    try withSink("\(scheme)127.0.0.1:0") { endpoint, _ in
      let outcome = try Tool.run(["doctor", endpoint, "--json"])
      // Zero copy does not happen there.
      #expect(outcome.code == 1)
      let path = try #require(try decoded(WithPath.self, outcome.output).path)
      #expect(path.isAvailable && path.isLocal && (path.mtu ?? 0) > 1000)
      if path.completed > 0 {
        #expect(path.sends == path.completed && path.copied == path.completed)
        #expect(path.verdict.contains("copies every one of them after all, because it ends on this machine"))
      } else {
        // An ordinary user's limit may be used up by others.
        #expect(!path.limits.isEmpty)
      }
      let text = try Tool.run(["doctor", endpoint])
      for beginning in ["kernel", "path to", "packets"] {
        #expect(text.text.split(separator: "\n").contains { $0.hasPrefix(beginning + " ") })
      }
    }
  }

  @Test(
    "Of a path on which zero copy happens it says so, and exits with 0",
    .enabled(if: mayMakeLanes, "needs root and iproute2"),
    arguments: ["", "udp:"])
  func yes(_ scheme: String) throws {
    try withFolder { folder in
      // The sink says where it listens as soon as it does.
      let script = """
        timeout 50 nsenter --net=$ZEROCOPY_LANE_PEER_NETWORK "$0" sink "$1" 2>"$2" &
        until grep -q listening "$2"; do kill -0 $!; sleep 0.05; done
        code=0; "$0" doctor "$1" --json || code=$?
        kill $!
        exit $code
        """
      let outcome = try Tool.run([
        "lane", "wire", "--", "sh", "-ec", script, Tool.path, "\(scheme)10.77.0.2:9000", folder.file("notes"),
      ])
      #expect(outcome.code == 0)
      let path = try #require(try decoded(WithPath.self, outcome.output).path)
      #expect(path.isAvailable && !path.isLocal && path.mtu == 65_535)
      #expect(path.completed == path.sends && path.copied == 0)
      #expect(
        path.verdict.hasPrefix(
          "Zero copy really happens on this path: none of \(path.sends) sends was copied"))
    }
  }

  @Test("A limit that keeps even one send from passing is named", .enabled(if: isRoot, "needs root"))
  func limitOnPath() throws {
    try withSink("127.0.0.1:0") { endpoint, _ in
      // The root of a user namespace has the limit, as an ordinary user.
      let command = "ulimit -l 64; exec \"$@\""
      let outcome = try Tool.run(
        ["doctor", endpoint], through: ["unshare", "--user", "--map-root-user", "sh", "-ec", command, "sh"])
      #expect(outcome.code == 1)
      #expect(outcome.text.contains("limit met"))
      #expect(outcome.text.contains("RLIMIT_MEMLOCK"))
      #expect(outcome.text.contains("Zero copy does not happen: no send passed"))
    }
  }

  @Test("Where zero copy is not to be had on a path, that is the verdict")
  func unavailablePath() throws {
    try withFolder { folder in
      try withSink("unix:\(folder.file("socket"))") { endpoint, _ in
        let outcome = try Tool.run(["doctor", endpoint])
        #expect(outcome.code == 1)
        #expect(outcome.text.contains("Zero copy is not to be had on the way to \(endpoint)"))
      }
    }
  }
}
