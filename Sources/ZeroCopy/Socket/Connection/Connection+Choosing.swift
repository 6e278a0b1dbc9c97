internal import CZeroCopy

extension Connection {
  /// Whether to ask for zero copy.
  @inline(__always)
  mutating func chooses(_ mode: WriteMode, byteCount: Int) throws(ZeroCopyError) -> Bool {
    if mode == .copy { return false }
    if availability != .available || copiesDue > 0 { return try choosesHindered(mode, byteCount: byteCount) }
    if mode == .automatic {
      if segments.arePathCopied(byteCount: byteCount) {
        policy.passOver()
        return false
      }
      // On vsock each packet is a send of its own.
      let byteCount = account.countsIDs ? unsafe min(byteCount, Pieces.packetSize) : byteCount
      let zeroCopy = policy.choosesZeroCopy(byteCount: byteCount) { .now }
      if policy.hasNews { tellDecision() }
      return zeroCopy
    }
    // An empty TCP send takes no id and an empty datagram takes one (rule 3): there is nothing to gain.
    return byteCount > 0
  }

  /// The same, where zero copy could not be had lately.
  @inline(never)
  private mutating func choosesHindered(_ mode: WriteMode, byteCount: Int) throws(ZeroCopyError) -> Bool {
    if availability == .unavailable(.earlierSends) { checkEarlierSends() }
    if case .unavailable(let reason) = availability {
      if mode == .zeroCopy { throw .unavailable(reason) }
    } else {
      // Looks again whether it can be had, but now and then only: finding out has its price.
      if mode == .zeroCopy || copiesDue == 0 { return byteCount > 0 }
      copiesDue -= 1
    }
    policy.spoil()
    if policy.usesZeroCopy(byteCount: byteCount), !segments.arePathCopied(byteCount: byteCount) { fallBack() }
    return false
  }

  /// What names the way to the peer, for `PathExperience`: the kind of socket and both ends without their ports.
  static func path(_ number: CInt, _ facts: czc_socket_facts) -> String {
    // C writes at most the buffer that it is given.
    let ends = unsafe [
      describe { unsafe czc_local_address_text(number, $0, $1) },
      describe { unsafe czc_peer_address_text(number, $0, $1) },
    ]
    let hosts = ends.map { text in text.lastIndex(of: ":").map { text[..<$0] } ?? text[...] }
    return "\(facts.type) \(hosts[0]) \(hosts[1])"
  }
}

extension ThreadTime {
  /// Of the calling thread.
  fileprivate static var now: ThreadTime {
    ThreadTime(thread: UInt(czc_thread()), nanoseconds: czc_thread_cpu())
  }
}
