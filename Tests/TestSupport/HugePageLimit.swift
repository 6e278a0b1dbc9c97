import CLanes

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A control group that may have only so many huge pages, as a container may. What is beyond can be reserved there, and
/// ends the process when it is touched.
public enum HugePageLimit {
  private static let name = "zerocopy-test-huge-pages"

  /// Whether this process may make one.
  public static let isPossible = isRootOfAll && succeeds("grep -q hugetlb $groups/cgroup.controllers")

  /// Moves this process into one, for good: only for a process of its own.
  public static func enter(_ count: Int) throws {
    let size = ReservedPages.size
    let entered = succeeds(
      """
      echo +hugetlb >$groups/cgroup.subtree_control
      mkdir $groups/\(name)-\(getpid())
      echo \(count * size) >$groups/\(name)-\(getpid())/hugetlb.\(size >> 20)MB.max
      echo \(getpid()) >$groups/\(name)-\(getpid())/cgroup.procs
      """)
    if !entered { throw SystemFailure(call: "a control group", errno: EIO) }
  }

  /// Removes those whose processes have ended.
  public static func removeEmpty() {
    _ = succeeds("rmdir $groups/\(name)-* 2>/dev/null || true")
  }

  /// The groups are mounted for the script alone.
  private static func succeeds(_ script: String) -> Bool {
    cln_run_script(
      """
      exec unshare --mount sh -ec '
      groups=$(mktemp -d)
      trap "umount $groups; rmdir $groups" EXIT
      mount -t cgroup2 none $groups
      \(script)
      '
      """) == 0
  }
}
