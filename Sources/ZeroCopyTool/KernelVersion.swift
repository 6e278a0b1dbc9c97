/// A kernel's version, for the defects that go by it.
struct KernelVersion: Comparable, CustomStringConvertible {
  let major: Int
  let minor: Int
  let patch: Int

  init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
    (self.major, self.minor, self.patch) = (major, minor, patch)
  }

  /// From uname's release, "6.12.94+deb13-cloud-amd64" for instance.
  init?(release: String) {
    let numbers = release.prefix { $0.isNumber || $0 == "." }.split(separator: ".").map { Int($0) }
    guard numbers.count >= 2, let major = numbers[0], let minor = numbers[1] else { return nil }
    self.init(major, minor, numbers.count > 2 ? numbers[2] ?? 0 : 0)
  }

  var description: String { "\(major).\(minor).\(patch)" }

  static func < (left: KernelVersion, right: KernelVersion) -> Bool {
    (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
  }

  /// What a person who sends by vsock has to know of this kernel, `nil` for nothing (rule 5).
  var vsockDefect: String? {
    if self < KernelVersion(6, 7) { return "no zero copy before Linux 6.7" }
    let faulty =
      (KernelVersion(6, 7)...KernelVersion(6, 12, 96)).contains(self)
      || (KernelVersion(6, 13)...KernelVersion(6, 18, 33)).contains(self)
      || (KernelVersion(6, 19)...KernelVersion(7, 0, 10)).contains(self)
    return faulty
      ? "defect CVE-2026-53365: of sends above 64 KiB memory is reported free too early; this package's are not longer,"
        + " for other programs update the kernel" : nil
  }
}
