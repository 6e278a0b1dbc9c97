import Testing

@testable import ZeroCopyTool

@Suite("KernelVersion")
struct KernelVersionTests {
  @Test(
    "A kernel's release is read whatever a distribution appends",
    arguments: [
      ("6.12.94+deb13-cloud-amd64", KernelVersion(6, 12, 94)),
      ("6.18.44-fc", KernelVersion(6, 18, 44)),
      ("5.10", KernelVersion(5, 10)),
      ("6.6-rc1", KernelVersion(6, 6)),
      ("5.15.167.4-microsoft-standard-WSL2", KernelVersion(5, 15, 167)),
      ("4.18.0-553.el8_10.x86_64", KernelVersion(4, 18)),
    ])
  func release(_ text: String, _ version: KernelVersion) {
    #expect(KernelVersion(release: text) == version)
  }

  @Test(
    "What is no kernel's release is none",
    arguments: ["", "unknown", "6", "6.", "...", "-6.1", "v6.1", "6.x", "99999999999999999999.1"])
  func noRelease(_ text: String) {
    #expect(KernelVersion(release: text) == nil)
  }

  @Test("Before Linux 6.7 vsock has no zero copy", arguments: [(4, 14, 0), (6, 1, 200), (6, 6, 999)])
  func beforeVsock(_ major: Int, _ minor: Int, _ patch: Int) {
    #expect(KernelVersion(major, minor, patch).vsockDefect?.contains("before Linux 6.7") == true)
  }

  @Test(
    "The first and the last version of each faulty series are named faulty (rule 5)",
    arguments: [
      (6, 7, 0), (6, 12, 0), (6, 12, 96), (6, 13, 0), (6, 18, 33), (6, 19, 0), (7, 0, 0), (7, 0, 10),
    ])
  func faulty(_ major: Int, _ minor: Int, _ patch: Int) {
    #expect(KernelVersion(major, minor, patch).vsockDefect?.contains("CVE-2026-53365") == true)
  }

  @Test(
    "The first mended version of each series is not named faulty (rule 5)",
    arguments: [(6, 12, 97), (6, 12, 400), (6, 18, 34), (6, 18, 44), (7, 0, 11), (7, 1, 0), (8, 0, 0)])
  func mended(_ major: Int, _ minor: Int, _ patch: Int) {
    #expect(KernelVersion(major, minor, patch).vsockDefect == nil)
  }
}
