internal import CZeroCopy
internal import SystemPackage

/// vsock, where a zero-copy send is best one packet: 64 KiB.
///
/// What is longer the kernel copies as soon as the peer's credit (256 KiB as a rule) does not let all of it through:
/// of sends of 1 MiB it copied every one. And a kernel with the fault of rule 5 (CVE-2026-53365) says of several
/// packets only when the last one is done. So nothing has to be known of the kernel: no send is longer.
extension Connection {
  /// How many sends may go without a count of their ids. A send of 64 KiB is a quarter of what the peer's credit
  /// lets through: by then something is done, as a rule.
  private static var sendsBetweenCounts: Int { 4 }

  /// Sends at most one packet without copying.
  @inline(never)
  mutating func attemptPacket(_ pieces: Pieces, _ waiting: Waiting) -> Attempt {
    let budget = configuration.budget
    let most = unsafe min(Pieces.packetSize, budget?.longestPart ?? .max)
    let attempt = unsafe pieces.withPacket(most) { packet, isSmall -> Attempt in
      if isSmall { return unsafe attemptCopy(packet, waiting) }
      if let hindrance = unsafe hindrance(byteCount: packet.byteCount) { return .shortage(hindrance) }
      if let budget { return unsafe self.attempt(packet, within: budget, waiting) }
      return unsafe attemptZeroCopy(packet, waiting, nil)
    }
    if sendsSinceReap >= Self.sendsBetweenCounts { count() }
    return attempt
  }

  /// How memory goes that is only lent for the length of a call. A vsock peer that does not read keeps what was sent
  /// for ever, and nothing takes it back from there (rule 5): the call could not return. So it is copied.
  func modeForBorrowing(_ mode: WriteMode) throws(ZeroCopyError) -> WriteMode {
    guard account.countsIDs, availability.isAvailable, mode != .copy else { return mode }
    guard mode == .automatic else {
      throw ZeroCopyError(
        .zeroCopyUnavailable,
        "nothing takes back borrowed memory from a vsock peer that does not read; send buffers of a pool, or"
          + " writeAll and flush, or use .automatic",
        isSocketUsable: true)
    }
    return .copy
  }
}

extension Pieces {
  static var packetSize: Int { 64 << 10 }
  /// Fragments of a packet, each within a page (MAX_SKB_FRAGS); with more the kernel answers ENOMEM.
  private static var mostPages: Int { 17 }
  /// What is not longer is never sent without copying: some kernels lose it (rule 5).
  private static var smallest: Int { 128 }

  /// The first of the pieces, as many as make a packet of at most so many bytes; or else those in front that are too
  /// small for one.
  ///
  /// No packet ends with a small piece: where the peer's credit ended just before it, it would go alone.
  func withPacket<Result>(_ most: Int, _ body: (_ packet: Pieces, _ isSmall: Bool) -> Result) -> Result {
    guard let start = unsafe start else { return unsafe body(self, true) }
    var packet: (count: CInt, byteCount: Int) = (0, 0)
    var small: (count: CInt, byteCount: Int) = (0, 0)
    var byteCount = 0
    var pages = 0
    // Within the pieces, whose count is given.
    for index in unsafe 0..<count {
      let piece = unsafe start[Int(index)]
      let isSmall = unsafe piece.length <= Self.smallest
      unsafe byteCount += piece.length
      pages += unsafe (Int(UInt(bitPattern: piece.base) % 4096) + piece.length + 4095) / 4096
      if isSmall, small.count == index { small = (index + 1, byteCount) }
      if packet.count > 0 || !isSmall, unsafe byteCount > most || pages > Self.mostPages { break }
      if !isSmall { packet = (index + 1, byteCount) }
    }
    if packet.count > 0 {
      return unsafe body(Pieces(start: start, count: packet.count, byteCount: packet.byteCount), false)
    }
    if small.count > 0 {
      return unsafe body(Pieces(start: start, count: small.count, byteCount: small.byteCount), true)
    }
    return unsafe withPrefix(most) { unsafe body($0, false) }
  }
}
