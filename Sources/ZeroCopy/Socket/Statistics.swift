/// What a socket has done since it was made.
public struct Statistics: Sendable, Hashable, CustomStringConvertible {
  /// Sends that were accepted, zero-copy or not: calls of `sendmsg`, and what a call of `sendmmsg` sends each.
  public internal(set) var sends = 0
  /// Bytes that were accepted.
  public internal(set) var bytes = 0
  /// Accepted sends that asked for zero copy.
  public internal(set) var zeroCopySends = 0
  /// Bytes of those.
  public internal(set) var zeroCopyBytes = 0
  /// Zero-copy sends whose memory the kernel has released.
  public internal(set) var completed = 0
  /// How many of `completed` were reported as copied after all; an estimate, see `FlushResult.copied`.
  public internal(set) var copied = 0
  /// Zero-copy sends whose memory the kernel may still read.
  public internal(set) var inFlight = 0
  /// How many notifications have come of sends that are held all the same: an earlier send's is missing, or the peer
  /// has not acknowledged what they are of. Of vsock, where a send has several, how many of those.
  public internal(set) var held = 0
  /// The send that those wait for, counted from 0; `nil` where none is held.
  public internal(set) var heldBehind: Int?
  /// Bytes of those in flight: pinned memory.
  public internal(set) var bytesInFlight = 0
  /// Sends that `.automatic` would have made without copying, and copied because zero copy is unavailable
  /// or a limit was exhausted.
  public internal(set) var fallbacks = 0
  /// Reads of the error queue.
  public internal(set) var reaps = 0
  /// Messages on the error queue that were not notifications: time stamps, ICMP errors.
  public internal(set) var foreignMessages = 0
  /// Notifications lost to a control buffer that was too small.
  public internal(set) var truncatedMessages = 0
  /// Notifications for sends that were known to be done.
  public internal(set) var repeatedNotifications = 0
  /// Notifications for sends that this socket never made: another owner uses the same socket.
  public internal(set) var unknownNotifications = 0
  /// Sends released without a notification of their own, because the kernel's count of notification
  /// blocks showed that nothing was in flight any more.
  public internal(set) var settled = 0

  /// Sends that were in flight when the socket ended, or were never notified, and whose pooled memory was given up to
  /// the kernel: their buffers came back with fresh pages.
  public internal(set) var quarantined = 0
  /// Sends that were in flight when the socket ended, or were never notified, and whose owners are kept alive for ever.
  public internal(set) var leaked = 0

  package init() {}

  /// Made once: those who observe ask often.
  private static let counts: [any WritableKeyPath<Statistics, Int> & Sendable] = [
    \.sends, \.bytes, \.zeroCopySends, \.zeroCopyBytes, \.completed, \.copied, \.fallbacks, \.reaps,
    \.foreignMessages, \.truncatedMessages, \.repeatedNotifications, \.unknownNotifications, \.settled,
    \.quarantined, \.leaked,
  ]

  /// What was counted since `earlier`; what is in flight is as it is now.
  package func since(_ earlier: Statistics) -> Statistics {
    var difference = self
    for count in Self.counts { difference[keyPath: count] -= earlier[keyPath: count] }
    return difference
  }

  /// The counts in words, on one line; those of rare events only where they are not 0.
  public var description: String {
    var text =
      "sends \(sends) (\(bytes) bytes), zero-copy \(zeroCopySends) (\(zeroCopyBytes) bytes),"
      + " completed \(completed), copied \(copied), in flight \(inFlight) (\(bytesInFlight) bytes),"
      + " fallbacks \(fallbacks)"
    if let heldBehind { text += ", held \(held) behind send \(heldBehind)" }
    if foreignMessages > 0 { text += ", foreign messages \(foreignMessages)" }
    if truncatedMessages > 0 { text += ", truncated messages \(truncatedMessages)" }
    if repeatedNotifications > 0 { text += ", repeated notifications \(repeatedNotifications)" }
    if unknownNotifications > 0 { text += ", unknown notifications \(unknownNotifications)" }
    if settled > 0 { text += ", settled \(settled)" }
    if quarantined > 0 { text += ", quarantined \(quarantined)" }
    if leaked > 0 { text += ", leaked \(leaked)" }
    return text
  }
}
