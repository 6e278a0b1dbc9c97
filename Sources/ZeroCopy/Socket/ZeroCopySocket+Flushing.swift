extension ZeroCopySocket {
  /// Waits until the kernel has let go of every zero-copy send of this socket, the rest of a buffer that `trySend` gave
  /// to it among them, which is sent first.
  ///
  /// The memory of those sends is free again when this has returned. Returns at once where nothing is in
  /// flight, or left to be sent. Waits at most `timeout`, without using the processor, on a non-blocking descriptor
  /// too.
  /// The corresponding system calls are `recvmmsg(MSG_ERRQUEUE)` and `epoll_wait`, and `send` for the rest of a buffer.
  ///
  /// Confirmed is not delivered: only the peer can tell what it received.
  ///
  /// - Returns: What was confirmed since the last flush; `remaining` is 0.
  /// - Throws: In each case `flushed` says what was done, and its `remaining` how many sends are in flight
  ///   still. `.timedOut`, `.peerTooSlow`: flush again, or `abort()`. `.shutDown`: the socket was shut down from
  ///   elsewhere, and what is in flight may never be acknowledged: `abort()`. `.connectionLost`: the
  ///   connection failed and no call has said so before; `remaining` is 0. `.closed`, `.system`. Where the rest of a
  ///   buffer could not be sent, what `writeAll` throws, `.inFlightLimit`, `.lockedMemoryLimit` and
  ///   `.notificationMemoryLimit` among it: where `isSocketUsable` the socket still has the rest, flush again, or
  ///   `abort()`.
  @discardableResult
  public mutating func flush(timeout: Duration) throws(ZeroCopyError) -> FlushResult {
    try connection.checkOpen()
    return try connection.flush(Deadline(after: timeout))
  }

  /// Reads the notifications that are there, and never waits.
  ///
  /// Writes do this by themselves now and then; a program that stops writing for a while may call it to
  /// keep `statistics` fresh. The corresponding system call is `recvmmsg(MSG_ERRQUEUE | MSG_DONTWAIT)`.
  /// - Returns: How many sends were released. They still count in the next flush's `completed`.
  /// - Throws: `.closed`.
  @discardableResult
  public mutating func reap() throws(ZeroCopyError) -> Int {
    try connection.checkOpen()
    let before = connection.statistics.completed
    if connection.account.inFlight.count > 0 || connection.account.wantsLook {
      // Nobody waits here: what ids do not say is looked at where they have said nothing.
      if connection.collect() == 0 { connection.look() }
    }
    return connection.statistics.completed - before
  }

  /// The number that the next zero-copy send gets. Sends are numbered from 0.
  package var nextSend: UInt64 { connection.account.inFlight.next }

  /// Whether the kernel may still read the memory of any of these sends.
  package func hasInFlight(_ sends: Range<UInt64>) -> Bool {
    sends.contains { connection.account.inFlight.isInFlight($0) }
  }

  /// As `flush(timeout:)`, for the sends before a number only, and without touching the flush's counts.
  package mutating func waitForRelease(before send: UInt64, timeout: Duration) throws(ZeroCopyError) {
    try connection.checkOpen()
    guard connection.account.inFlight.oldest < send else { return }
    let end = connection.awaitRelease(Deadline(after: timeout)) { $0.oldest >= send }
    try connection.check(end, "waiting for memory") { _ in
      .timedOut("waiting for memory", "the peer has not acknowledged; wait again, or abort")
    }
  }
}
