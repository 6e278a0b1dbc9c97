internal import CZeroCopy
internal import SystemPackage

/// Several datagrams, of which one system call may send any number from the first on.
@unsafe struct DatagramList {
  let start: UnsafePointer<czc_buffer>
  let count: Int

  var byteCount: Int { unsafe (0..<count).reduce(0) { unsafe $0 + start[$1].length } }

  func dropFirst(_ dropped: Int) -> DatagramList {
    unsafe DatagramList(start: start + dropped, count: count - dropped)
  }

  func prefix(_ most: Int) -> DatagramList { unsafe DatagramList(start: start, count: min(most, count)) }

  var first: Pieces { unsafe Pieces(start: start, count: 1, byteCount: start[0].length) }
}

extension Connection {
  /// What one `sendmmsg` came to.
  private enum Batch {
    /// - Parameter isShort: The kernel took fewer than it was offered. It does not say why.
    case accepted(Int, isShort: Bool)
    /// The first was refused.
    case refused(Attempt)
  }

  /// Sends several datagrams, each whole, until one fails.
  /// - Parameters:
  ///   - isFirst: The call has sent nothing yet: it waits, and throws. Else whoever calls again is told.
  ///   - keeping: What must stay alive for each of them.
  /// - Returns: How many were accepted; at least one of the call's.
  /// - Throws: Nothing was accepted.
  mutating func writeDatagrams(
    _ datagrams: DatagramList, mode: WriteMode, isFirst: Bool, _ waiting: Waiting, keeping: (Int) -> Keeping
  ) throws(ZeroCopyError) -> Int {
    let waiting = watched(waiting)
    var done = 0
    while unsafe done < datagrams.count {
      let rest = unsafe datagrams.dropFirst(done)
      let mayThrow = isFirst && done == 0
      let fallbacks = statistics.fallbacks
      let zeroCopy: Bool
      do throws(ZeroCopyError) {
        zeroCopy = unsafe try chooses(mode, byteCount: rest.byteCount / rest.count)
      } catch {
        if mayThrow { throw error }
        return done
      }
      let batch =
        unsafe zeroCopy
        ? attemptZeroCopy(rest, mode, waiting) { keeping(done + $0) } : attemptCopy(rest, mode, waiting)
      switch batch {
      case .accepted(let count, let isShort):
        if statistics.fallbacks > fallbacks { statistics.fallbacks += count - 1 }
        done += count
        if isShort { return done }
      case .refused(.shortage(let shortage, _)) where !mayThrow && shortage.isOurs:
        if reap(untilEmpty: true) == 0 { return done }
      case .refused where !mayThrow: return done
      case .refused(let attempt):
        lending = Lending(keeping(0), byteCount: unsafe rest.first.byteCount)
        defer { lending = Lending() }
        _ = unsafe try persist(after: attempt, rest.first, zeroCopy: zeroCopy, mode, waiting)
        done = 1
      }
    }
    return done
  }

  private mutating func attemptCopy(
    _ datagrams: DatagramList, _ mode: WriteMode, _ waiting: Waiting
  ) -> Batch {
    if statistics.sends >= sendsToLook { lookAround() }
    let result = unsafe czc_send_datagrams(
      number, datagrams.start, CInt(datagrams.count), waiting.flags, segments.ofCall)
    guard result > 0 else { return .refused(.failed(Errno(rawValue: -result))) }
    return unsafe accepts(datagrams, Int(result), mode)
  }

  private mutating func attemptZeroCopy(
    _ datagrams: DatagramList, _ mode: WriteMode, _ waiting: Waiting, keeping: (Int) -> Keeping
  ) -> Batch {
    if account.inFlight.count > 0 || !account.isExact,
      let hindrance = unsafe hindrance(byteCount: datagrams.first.byteCount)
    {
      return .refused(.shortage(hindrance))
    }
    if account.inFlight.count == 0 { noteBeforeFirstSend() }
    let first = account.inFlight.next
    var offered = 0
    var shortage: Shortage?
    var byteCount = 0
    // As in `attemptZeroCopy` of one: the memory must be held, and the ids known, before the call.
    while unsafe offered < datagrams.count,
      unsafe offered == 0 || hasRoom(forMore: byteCount + datagrams.start[offered].length)
    {
      let length = unsafe datagrams.start[offered].length
      var share: BudgetShare?
      shortage = takeShare(&share, ofSend: length)
      if shortage != nil { break }
      _ = account.reserve(
        SendRecord(bytes: length, start: statistics.bytes, keeping: keeping(offered), budget: share))
      offered += 1
      byteCount += length
    }
    if offered == 0, let shortage { return .refused(.shortage(shortage)) }
    let flags = waiting.flags | CInt(CZC_SEND_ZEROCOPY)
    let result = unsafe czc_send_datagrams(number, datagrams.start, CInt(offered), flags, segments.ofCall)
    let accepted = max(0, Int(result))
    let sent = unsafe datagrams.prefix(accepted)
    unsafe statistics.bytesInFlight += sent.byteCount
    let failed = first + UInt64(accepted)
    // Behind the one that failed nothing was tried.
    if accepted < offered {
      for _ in accepted + 1..<offered { takeBackNewest() }
      account.updateNewest { $0.bytes = 0 }
    }
    guard accepted > 0 else { return .refused(refused(failed, Errno(rawValue: -result))) }
    statistics.zeroCopySends += accepted
    unsafe statistics.zeroCopyBytes += sent.byteCount
    // It may have taken an id (rule 4), and nobody says how it failed.
    if accepted < offered { _ = takesBack(failed, nil) }
    sendsSinceReap += accepted
    if sendsSinceReap >= 64 { reap(untilEmpty: false) }
    return unsafe accepts(datagrams.prefix(offered), accepted, mode)
  }

  /// Whether another datagram may be offered in the same call, which are so many bytes with it.
  private func hasRoom(forMore byteCount: Int) -> Bool {
    if account.isLearning { return false }
    guard let limit = configuration.maximumBytesInFlight else { return true }
    return statistics.bytesInFlight + byteCount <= limit
  }

  private mutating func accepts(_ offered: DatagramList, _ count: Int, _ mode: WriteMode) -> Batch {
    let byteCount = unsafe offered.prefix(count).byteCount
    statistics.sends += count
    statistics.bytes += byteCount
    if mode == .automatic { policy.accepted(byteCount) }
    return unsafe .accepted(count, isShort: count < offered.count)
  }
}
