internal import CZeroCopy
internal import SystemPackage

/// A buffer of which the socket has accepted a part. The rest goes before anything else is sent.
struct Tail: ~Copyable, Sendable {
  let buffer: SendBuffer
  var mode: WriteMode
  /// Bytes accepted.
  var sent: Int
}

extension Connection {
  var hasTail: Bool {
    switch tail {
    case .some: true
    case .none: false
    }
  }

  /// Sends as much of a buffer as the socket takes at once.
  /// - Returns: The buffer, where it takes nothing.
  mutating func trySend(_ buffer: consuming SendBuffer, _ mode: WriteMode) throws(ZeroCopyError)
    -> SendBuffer?
  {
    var first = account.inFlight.next
    var before = statistics.bytes
    do throws(ZeroCopyError) {
      try sendTail(.atOnce)
      first = account.inFlight.next
      before = statistics.bytes
      let sent = try send(buffer, from: 0, mode, .atOnce)
      if sent < buffer.count {
        tail = Tail(buffer: buffer, mode: mode, sent: sent)
      } else {
        buffer.share.noteInFlight()
        return nil
      }
    } catch {
      // What the kernel may still read, of a datagram that was dropped on its way, does not go back.
      guard isOverSoon(error, buffer.count), hasTail || !account.inFlight.hasAny(from: first) else {
        throw error
      }
      return buffer
    }
    // A budget's part, or a packet of vsock, need not be all that the socket has room for.
    guard configuration.budget != nil || account.countsIDs else { return nil }
    do throws(ZeroCopyError) {
      try sendTailIfPossible()
    } catch {
      throw error.adding(bytesAccepted: statistics.bytes - before)
    }
    return nil
  }

  /// Sends what is left of a buffer that was accepted in part.
  /// - Throws: What a write throws; the rest is kept then, unless the socket is not usable any more.
  mutating func sendTail(_ waiting: Waiting) throws(ZeroCopyError) {
    guard var rest = tail.take() else { return }
    do throws(ZeroCopyError) {
      while rest.sent < rest.buffer.count {
        // A part is with the peer: the rest has to follow, in whatever way.
        if case .unavailable = availability { rest.mode = .automatic }
        rest.sent += try send(rest.buffer, from: rest.sent, rest.mode, waiting)
      }
      rest.buffer.share.noteInFlight()
    } catch {
      if error.isSocketUsable { tail = consume rest }
      throw error
    }
  }

  /// As `sendTail`, where it is no matter whether the rest goes now.
  /// - Throws: What ends the connection: it is told once.
  mutating func sendTailIfPossible() throws(ZeroCopyError) {
    guard hasTail else { return }
    do throws(ZeroCopyError) { try sendTail(.atOnce) } catch { if !error.isSocketUsable { throw error } }
  }

  /// One system call's worth of a buffer.
  private mutating func send(
    _ buffer: borrowing SendBuffer, from start: Int, _ mode: WriteMode, _ waiting: Waiting
  ) throws(ZeroCopyError) -> Int {
    // The call under way may keep something else.
    var lent = Lending(.slot(buffer.share.another()), byteCount: buffer.count - start)
    swap(&lending, &lent)
    // Valid as long as `buffer` owns the slot.
    let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer.memory[start..<buffer.count])
    var piece = unsafe czc_buffer(base: rest.baseAddress, length: rest.count)
    let result: Result<Int, ZeroCopyError>
    do throws(ZeroCopyError) {
      result = .success(
        try unsafe withUnsafePointer(to: &piece) { (pointer) throws(ZeroCopyError) -> Int in
          try unsafe writeNow(
            Pieces(start: pointer, count: 1, byteCount: rest.count), mode: mode, waiting: waiting)
        })
    } catch {
      result = .failure(error)
    }
    swap(&lending, &lent)
    return try result.get()
  }

  /// Whether the same call may succeed when the peer has read, or what is in flight has completed.
  private func isOverSoon(_ error: ZeroCopyError, _ byteCount: Int) -> Bool {
    switch error.code {
    case .wouldBlock, .timedOut: true
    // Unless it is a datagram that never fits, and cannot go in parts.
    case .inFlightLimit:
      !isDatagram || SendBudget.cost(ofSend: byteCount) <= configuration.budget?.maximumBytesPerSocket ?? .max
    case .lockedMemoryLimit, .notificationMemoryLimit: account.inFlight.count > 0
    // The same of a limit that cannot be told.
    case .system: (error.errno == .noBufferSpace || error.errno == .noMemory) && account.inFlight.count > 0
    default: false
    }
  }
}
