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
    #expect(!diagnosis.unix.isAvailable && !diagnosis.vsock.isAvailable)
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
}
