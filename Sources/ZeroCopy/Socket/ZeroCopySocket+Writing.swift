internal import CZeroCopy
internal import SystemPackage

extension ZeroCopySocket {
  /// Sends the bytes of several buffers, in order, as one system call: possibly only some of them.
  ///
  /// Waits on a blocking descriptor until some are accepted, at most `Configuration.writeTimeout`. At
  /// most 1,024 non-empty buffers go at once; a datagram takes them all or fails. A datagram is sent
  /// whole, also one of no bytes. On vsock a zero-copy send takes 64 KiB at most, and pieces of 128 bytes or less
  /// are copied. The corresponding system call is `sendmsg` (`send` for a single buffer), always with
  /// `MSG_NOSIGNAL`.
  ///
  /// **With zero copy the memory must neither change nor be freed until a `flush` has confirmed it.**
  /// Whether it went by zero copy in `.automatic` is not told: treat it as if. On TCP that mode copies the pieces below
  /// a page and sends the others as it has found cheaper, by a system call for each run of a kind, in as few packets as
  /// one call would make.
  ///
  /// Where a limit of the kernel is exhausted (ENOBUFS), the error queue is drained and the send tried
  /// again. If that does not help, `.automatic` copies; `.zeroCopy` waits for a completion where the
  /// descriptor is blocking and something is in flight, and else throws which limit it is.
  ///
  /// - Parameters:
  ///   - buffers: The memory to send; empty ones are passed over.
  ///   - mode: `nil` for the mode of the socket's configuration.
  /// - Returns: The bytes accepted; 0 only where there were none.
  /// - Throws: Nothing is accepted then, except what `bytesAccepted` says where the connection ends between the
  ///   pieces of a mixed write; but the memory of a datagram that failed may be in flight all the
  ///   same, and is free after a `flush`. `.wouldBlock` on a non-blocking descriptor that is full;
  ///   `.timedOut`; `.peerTooSlow`; `.zeroCopyUnavailable`, `.lockedMemoryLimit`, `.notificationMemoryLimit`,
  ///   `.inFlightLimit` in `.zeroCopy`; `.messageTooLong`, `.datagramDropped`, `.connectionRefused` on
  ///   datagram sockets; `.unreadableMemory`; `.system`. After these the socket goes on.
  ///   `.connectionLost`, `.shutDown`, `.closed`, `.unsuitableDescriptor`: it does not.
  @unsafe
  public mutating func writev(
    _ buffers: Span<UnsafeRawBufferPointer>, mode: WriteMode? = nil
  ) throws(ZeroCopyError) -> Int {
    try connection.checkOpen()
    var cursor = Cursor()
    return try unsafe writeOnce(buffers, &cursor, mode ?? connection.configuration.mode, .asDescriptor)
  }

  /// As `writev` over a span of buffers.
  @unsafe @inlinable
  public mutating func writev(
    _ buffers: [UnsafeRawBufferPointer], mode: WriteMode? = nil
  ) throws(ZeroCopyError) -> Int {
    try unsafe writev(buffers.span, mode: mode)
  }

  /// As `writev` over a span of buffers, for a single one.
  @unsafe
  public mutating func writev(
    _ buffer: UnsafeRawBufferPointer, mode: WriteMode? = nil
  ) throws(ZeroCopyError) -> Int {
    try connection.checkOpen()
    return try unsafe writeOnce(buffer, mode ?? connection.configuration.mode, .asDescriptor)
  }

  /// Sends all bytes of several buffers, in order, with as many system calls as it takes.
  ///
  /// As `writev` otherwise; a datagram socket sends one datagram.
  /// - Throws: As `writev`. `bytesAccepted` says how many bytes were accepted before: go on behind them,
  ///   not from the start.
  @unsafe public mutating func writeAll(
    _ buffers: Span<UnsafeRawBufferPointer>, mode: WriteMode? = nil
  ) throws(ZeroCopyError) {
    try connection.checkOpen()
    try unsafe writeAll(buffers, mode ?? connection.configuration.mode, .asDescriptor)
  }

  /// As `writeAll` over a span of buffers.
  @unsafe @inlinable public mutating func writeAll(
    _ buffers: [UnsafeRawBufferPointer], mode: WriteMode? = nil
  ) throws(ZeroCopyError) {
    try unsafe writeAll(buffers.span, mode: mode)
  }

  /// As `writeAll` over a span of buffers, for a single one.
  @unsafe public mutating func writeAll(
    _ buffer: UnsafeRawBufferPointer, mode: WriteMode? = nil
  ) throws(ZeroCopyError) {
    try connection.checkOpen()
    try unsafe writeAll(buffer, mode ?? connection.configuration.mode, .asDescriptor)
  }

  /// Sends all bytes and returns when the kernel has let go of their memory: safe with any memory that
  /// can be borrowed.
  ///
  /// **It returns, or throws, only then.** When the time is up while bytes are in flight, the TCP
  /// connection is aborted, and the call stays until the last notification is in: usually at once, late
  /// ones were seen up to 0.75 s after an abort. A datagram socket has no abort: there it stays until the
  /// last fragment is sent, or dropped. Memory safety outranks the bound. vsock has no abort either, and a peer
  /// that never reads: there the bytes are copied, and `.zeroCopy` throws `.zeroCopyUnavailable`.
  ///
  /// Waits, on a non-blocking descriptor too, for at most `timeout` in all. Everything else that is in
  /// flight on the socket is flushed with it.
  ///
  /// - Returns: As `flush(timeout:)`.
  /// - Throws: As `writeAll` and `flush(timeout:)`; `bytesAccepted` says how far it got. Where
  ///   `isSocketUsable` is false after `.timedOut` the connection was aborted.
  @discardableResult
  public mutating func writeAndFlush(
    _ span: RawSpan, timeout: Duration, mode: WriteMode? = nil
  ) throws(ZeroCopyError) -> FlushResult {
    // The pointer stays valid while `span` is borrowed: until this call ends, when nothing is in flight.
    try unsafe span.withUnsafeBytes { (buffer) throws(ZeroCopyError) -> FlushResult in
      try unsafe writeAndFlush(borrowed: buffer, Deadline(after: timeout), mode)
    }
  }

  /// As `writeAndFlush` over a raw span.
  @discardableResult
  public mutating func writeAndFlush(
    _ span: Span<UInt8>, timeout: Duration, mode: WriteMode? = nil
  ) throws(ZeroCopyError) -> FlushResult {
    // Bytes of UInt8 are all initialised, which is what `bytes` cannot promise of every type.
    try writeAndFlush(unsafe span.bytes, timeout: timeout, mode: mode)
  }
}

extension ZeroCopySocket {
  /// What the end of the time means where the memory was to be had back.
  private static var abortedForMemory: String {
    "time was up while the memory was in flight, and the connection was aborted to get it back; connect again"
  }

  private mutating func writeAndFlush(
    borrowed buffer: UnsafeRawBufferPointer, _ deadline: Deadline, _ mode: WriteMode?
  ) throws(ZeroCopyError) -> FlushResult {
    try connection.checkOpen()
    let mode = try connection.modeForBorrowing(mode ?? connection.configuration.mode)
    // Before anything is in flight: without it the memory could not be waited for.
    if let errno = connection.openWaiter() { throw connection.failure(errno) }
    // Not the caller's memory, and not to be waited for on its behalf.
    if connection.hasTail { try connection.sendTail(.until(deadline)) }
    let first = connection.account.inFlight.next
    var accepted = 0
    do throws(ZeroCopyError) {
      try unsafe writeAll(buffer, mode, .until(deadline))
      accepted = buffer.count
      return try connection.flush(deadline)
    } catch {
      // Who was told to stop does not wait for the peer either.
      let patience = error.code == .shutDown ? Deadline(after: .zero) : deadline
      let wasAborted = connection.recall(from: first, patience)
      var flushed = connection.takeTally()
      flushed.completed += error.flushed?.completed ?? 0
      flushed.copied += error.flushed?.copied ?? 0
      let told = wasAborted && error.code == .timedOut ? error.saying(Self.abortedForMemory) : error
      throw told.adding(bytesAccepted: accepted).adding(
        flushed: flushed, isSocketUsable: error.isSocketUsable && !wasAborted)
    }
  }

  mutating func writeAll(
    _ buffers: Span<UnsafeRawBufferPointer>, _ mode: WriteMode, _ waiting: Connection.Waiting
  ) throws(ZeroCopyError) {
    var cursor = Cursor()
    do throws(ZeroCopyError) {
      repeat {
        _ = try unsafe writeOnce(buffers, &cursor, mode, waiting)
      } while unsafe cursor.isBefore(endOf: buffers)
    } catch {
      throw error.adding(bytesAccepted: cursor.byteCount)
    }
  }

  mutating func writeAll(
    _ buffer: UnsafeRawBufferPointer, _ mode: WriteMode, _ waiting: Connection.Waiting
  ) throws(ZeroCopyError) {
    var rest = unsafe buffer
    do throws(ZeroCopyError) {
      repeat {
        let count = try unsafe writeOnce(rest, mode, waiting)
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } while unsafe !rest.isEmpty
    } catch {
      throw error.adding(bytesAccepted: buffer.count - rest.count)
    }
  }

  private mutating func writeOnce(
    _ buffer: UnsafeRawBufferPointer, _ mode: WriteMode, _ waiting: Connection.Waiting
  ) throws(ZeroCopyError) -> Int {
    var piece = unsafe czc_buffer(buffer)
    let byteCount = unsafe piece.length
    return try unsafe withUnsafePointer(to: &piece) { (start) throws(ZeroCopyError) -> Int in
      try unsafe connection.write(
        Pieces(start: start, count: 1, byteCount: byteCount), mode: mode, waiting: waiting)
    }
  }

  /// One system call's worth from the cursor on; moves the cursor behind what was accepted.
  private mutating func writeOnce(
    _ buffers: Span<UnsafeRawBufferPointer>, _ cursor: inout Cursor, _ mode: WriteMode,
    _ waiting: Connection.Waiting
  ) throws(ZeroCopyError) -> Int {
    let capacity = unsafe min(buffers.count - cursor.index, Int(CZC_MAX_BUFFERS))
    return try unsafe withTemporary(capacity) { (pieces) throws(ZeroCopyError) -> Int in
      var next = cursor
      var filled = 0
      var byteCount = 0
      // Empty buffers are passed over: they would count against the 1,024.
      while unsafe next.index < buffers.count, filled < capacity {
        let buffer = unsafe buffers[next.index]
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[next.offset...])
        if unsafe !rest.isEmpty {
          unsafe pieces.initializeElement(at: filled, to: czc_buffer(rest))
          unsafe byteCount += pieces[filled].length
          filled += 1
        }
        next = Cursor(index: next.index + 1, offset: 0, byteCount: cursor.byteCount + byteCount)
      }
      if connection.isDatagram, unsafe next.isBefore(endOf: buffers) {
        throw ZeroCopyError(
          .messageTooLong, "a datagram takes at most \(CZC_MAX_BUFFERS) buffers", isSocketUsable: true)
      }
      let count = try unsafe connection.write(
        Pieces(start: UnsafePointer(pieces.baseAddress), count: CInt(filled), byteCount: byteCount),
        mode: mode, waiting: waiting)
      if count == byteCount { cursor = next } else { unsafe cursor.advance(by: count, in: buffers) }
      return count
    }
  }
}

/// A place in a list of buffers.
private struct Cursor {
  var index = 0
  var offset = 0
  /// Bytes before it.
  var byteCount = 0

  /// Whether there are bytes left.
  func isBefore(endOf buffers: Span<UnsafeRawBufferPointer>) -> Bool {
    for later in unsafe index..<buffers.count {
      if unsafe buffers[later].count > (later == index ? offset : 0) { return true }
    }
    return false
  }

  mutating func advance(by count: Int, in buffers: Span<UnsafeRawBufferPointer>) {
    byteCount += count
    var left = count
    while unsafe index < buffers.count {
      let here = unsafe buffers[index].count - offset
      if left < here {
        offset += left
        return
      }
      left -= here
      index += 1
      offset = 0
    }
  }
}

extension czc_buffer {
  /// The most bytes of one that are told to anybody: more than any process has, and of as many as a call takes the sum
  /// can be computed. What is longer the kernel refuses, or takes in parts, as it does the whole.
  private static var longest: Int { 1 << 48 }

  @inline(__always)
  @unsafe init(_ memory: UnsafeRawBufferPointer) {
    unsafe self.init(base: memory.baseAddress, length: min(memory.count, Self.longest))
  }
}

/// Room for the buffers of one call, on the stack for the usual few.
@unsafe func withTemporary<Result>(
  _ capacity: Int, _ body: (UnsafeMutableBufferPointer<czc_buffer>) throws(ZeroCopyError) -> Result
) throws(ZeroCopyError) -> Result {
  // The standard library's own function passes typed errors on only as `any Error`.
  try unsafe withUnsafeTemporaryAllocation(of: czc_buffer.self, capacity: max(1, capacity)) { pieces in
    do throws(ZeroCopyError) {
      return Swift.Result<Result, ZeroCopyError>.success(try unsafe body(pieces))
    } catch {
      return .failure(error)
    }
  }.get()
}
