/// What a flush found.
public struct FlushResult: Sendable, Hashable, CustomStringConvertible {
  /// Zero-copy sends that the kernel has confirmed since the last flush, also those that a write or
  /// `reap()` confirmed in passing. Confirmed is not delivered: what a reset has purged is confirmed too.
  public internal(set) var completed: Int

  /// How many of `completed` the kernel reports as copied after all. An estimate: the kernel merges
  /// notifications, and a merged one says it of all its sends or of none.
  public internal(set) var copied: Int

  /// Zero-copy sends that are still in flight. Their memory must not be touched.
  public internal(set) var remaining: Int

  package init(completed: Int = 0, copied: Int = 0, remaining: Int = 0) {
    self.completed = completed
    self.copied = copied
    self.remaining = remaining
  }

  /// Whether sends were confirmed and the kernel copied every one of them: on this path zero copy
  /// avoids no copy. (QEMU's `io_flush` answers 1 in this case.)
  public var allCopied: Bool { completed > 0 && copied == completed }

  /// The counts in words.
  public var description: String {
    "completed \(completed), of these copied \(copied), remaining \(remaining)"
  }
}
