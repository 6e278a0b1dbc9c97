import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

/// What the kernel writes there, written by the test: it may not change the groups that it runs in.
@Suite("A pool in a control group", .enabled(if: mayMakeNetworks, "needs root, for mounts of its own"))
struct ControlGroupTests {
  enum Version: String, CaseIterable {
    case first, second

    /// Of the process, in a group of a group.
    var line: String {
      switch self {
      case .first: "12:cpu:/elsewhere\\n4:memory:/outer/inner\\n0::/\\n"
      case .second: "12:cpu:/elsewhere\\n0::/outer/inner\\n"
      }
    }

    var root: String { self == .first ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup" }
    var unlimited: String { self == .first ? "9223372036854771712" : "max" }

    /// Commands that write what a group may have, has, and has of files.
    func group(_ path: String, limit: String, used: Int, files: Int) -> String {
      let folder = root + path
      let stat = self == .first ? "cache 1\\ntotal_cache \(files)" : "anon 1\\nfile \(files)"
      return """
        mkdir -p \(folder)
        echo \(limit) > \(folder)/\(self == .first ? "memory.limit_in_bytes" : "memory.max")
        echo \(used) > \(folder)/\(self == .first ? "memory.usage_in_bytes" : "memory.current")
        printf '\(stat)\\n' > \(folder)/memory.stat

        """
    }
  }

  @Test(
    "takes no more than the group has left, or one above it, in which what files have can be had",
    arguments: Version.allCases)
  func limit(_ version: Version) throws {
    try onOwnThread {
      let mebibyte = 1 << 20
      try enterOwnMounts(
        """
        mount -t tmpfs none /sys/fs/cgroup
        \(version.group("/outer", limit: "\(50 * mebibyte)", used: 40 * mebibyte, files: 15 * mebibyte))
        \(version.group("/outer/inner", limit: version.unlimited, used: 5, files: 1))
        printf '\(version.line)' > /sys/fs/cgroup/groups
        mount -o bind /sys/fs/cgroup/groups /proc/\(getpid())/cgroup
        """)
      #expect(czc_available_memory() == 25 << 20)
      _ = try BufferPool(bufferSize: mebibyte, count: 16, pages: .standard)
      let failure = error { () throws(ZeroCopyError) in
        _ = try BufferPool(bufferSize: mebibyte, count: 26, pages: .standard)
      }
      #expect(failure?.code == .outOfMemory)
      #expect(failure?.message.contains("\(25 << 20) bytes that are available") == true)
    }
  }
}
