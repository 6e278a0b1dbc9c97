internal import CZeroCopy

extension ZeroCopySocket {
  /// Sends all of a buffer, and gives the buffer to the kernel: it returns to its pool once the kernel has let go
  /// of every part of it, and cannot be touched before.
  ///
  /// Waits as `writeAll` does: on a blocking descriptor until all is accepted. An empty buffer is nothing on a stream,
  /// and a datagram of no bytes. The corresponding system call is `send`, once for each part that the socket takes.
  /// - Parameter mode: `nil` is the configuration's.
  /// - Throws: What `writeAll` throws; `bytesAccepted` says how many bytes are sent or on their way. The buffer is
  ///   gone then as well, and returns to its pool as soon as that is safe.
  public mutating func send(_ buffer: consuming SendBuffer, mode: WriteMode? = nil) throws(ZeroCopyError) {
    try connection.checkOpen()
    // One more owner, so that the slot is still ours when it is looked at below.
    var protected = buffer.share.pool.protectsInFlight ? buffer.share.another() : nil
    // The slot's memory lives as long as an owner of it: that is `lending`, or the ledger, until all is accepted.
    let filled = unsafe UnsafeRawBufferPointer(rebasing: buffer.memory[..<buffer.count])
    connection.lending = Lending(.slot(buffer.share), byteCount: filled.count)
    defer {
      connection.lending = Lending()
      if let share = protected.take() { share.pool.noteInFlight(share.slot) }
    }
    try unsafe writeAll(filled, mode ?? connection.configuration.mode, .asDescriptor)
  }

  /// Sends a buffer where the socket takes it now, and gives it back where it does not. Never waits, whatever the
  /// descriptor says.
  ///
  /// Of a buffer that it takes in part the socket sends the rest before anything else: with the next write of any
  /// kind, `flush`, `close`, or while it waits for a buffer; behind the last buffer `flush(timeout: .zero)` sends what
  /// goes now, and throws `.timedOut` while something is left or in flight. **Flush or close the socket before it goes
  /// out of scope**: else the rest is not sent. TCP resets then; the peer of a vsock or UNIX stream reads an orderly
  /// end in the middle of the buffer. An empty buffer is nothing on a stream, and a datagram of no bytes.
  /// ```swift
  /// if let unsent = try socket.trySend(buffer) { pending = unsent }
  /// ```
  /// In `.automatic` it comes back only where the socket is full: wait for room (`EPOLLOUT`). In `.zeroCopy` it may be
  /// a limit as well, while the socket has room: wait for a notification then (`EPOLLERR`, which is always reported),
  /// and `reap()`. With `poll` or a level-triggered `epoll` do not ask for `POLLOUT` in that case, nor while only a
  /// buffer is missing: it would return at once, again and again. What other sockets use of a `SendBudget`, and the
  /// buffers that they have, show in no event of this one: try again when you have reaped those.
  ///
  /// The corresponding system call is `send(MSG_DONTWAIT)`.
  /// - Returns: The buffer where nothing of it was accepted; `nil` where the socket has it.
  /// - Throws: What `send` throws, but for what is over soon: the buffer comes back then.
  public mutating func trySend(
    _ buffer: consuming SendBuffer, mode: WriteMode? = nil
  ) throws(ZeroCopyError) -> SendBuffer? {
    try connection.checkOpen()
    return try connection.trySend(buffer, mode ?? connection.configuration.mode)
  }

  /// Sends memory that lives as long as an object, which is kept alive until the kernel has let go.
  ///
  /// Waits as `writeAll` does. Where the socket ends before the kernel has let go, the object is never released,
  /// and `statistics.leaked` counts it. The corresponding system call is `send`, as in `writeAll`.
  /// - Parameters:
  ///   - buffer: **Must not be changed before it is flushed**, by the object or anybody else: what is changed
  ///     reaches the peer changed.
  ///   - owner: What `buffer` belongs to. It may be released on any thread that uses this socket, within a call of
  ///     the socket: its `deinit` must not use the socket.
  /// - Throws: What `writeAll` throws.
  @unsafe public mutating func send(
    _ buffer: UnsafeRawBufferPointer, keeping owner: any AnyObject & Sendable, mode: WriteMode? = nil
  ) throws(ZeroCopyError) {
    try connection.checkOpen()
    connection.lending = Lending(.object(owner), byteCount: buffer.count)
    defer { connection.lending = Lending() }
    try unsafe writeAll(buffer, mode ?? connection.configuration.mode, .asDescriptor)
  }

  /// Takes an empty buffer of a pool, and waits for one where none is free: for those of this socket to be released,
  /// and for other sockets and threads to return theirs.
  ///
  /// It reads the notifications of this socket alone. A thread that serves several sockets calls `reap()` on the
  /// others now and then: what they hold nobody else can give back. The corresponding system calls, where none is free,
  /// are `recvmmsg(MSG_ERRQUEUE)` and `epoll_wait`.
  /// - Parameter timeout: The longest to wait.
  /// - Throws: `.timedOut`: all buffers are in use, wait again, or abort. `.peerTooSlow`, `.shutDown`, `.closed`,
  ///   `.system`; what `trySend` throws, where the rest of an earlier buffer could not be sent.
  public mutating func buffer(
    from pool: BufferPool, timeout: Duration
  ) throws(ZeroCopyError) -> SendBuffer {
    try connection.checkOpen()
    if let buffer = pool.take() { return buffer }
    return try connection.awaitBuffer(from: pool, Deadline(after: timeout))
  }
}
