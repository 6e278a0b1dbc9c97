internal import CZeroCopy
internal import SystemPackage

extension ZeroCopySocket {
  /// Says that nothing more will be written; the peer reads the end of the stream. Reading goes on, and
  /// so do sends in flight: flush them.
  ///
  /// What is left of a buffer that `trySend` gave to the socket is sent first, and waits as `writeAll` does; without
  /// one it never waits. The corresponding system call is `shutdown(SHUT_WR)`. Calling it again does nothing.
  /// - Throws: `.closed`, `.connectionLost`, `.shutDown`, `.system`; what `writeAll` throws, where the rest of a buffer
  ///   could not be sent: the stream has not ended then, call it again, or `abort()`.
  public mutating func finishWriting() throws(ZeroCopyError) {
    try connection.checkOpen()
    guard !connection.fate.hasFinishedWriting else { return }
    if connection.hasTail { try connection.sendTail(.asDescriptor) }
    // Before the call: a reader must not take what follows for the peer's doing.
    connection.fate.setFinishedWriting(true)
    let result = czc_shutdown(connection.number, CInt(CZC_SHUT_WRITE))
    // ENOTCONN: the kernel knows no peer any more.
    guard result == 0 else {
      connection.fate.setFinishedWriting(false)
      throw connection.failure(Errno(rawValue: -result), "finishing")
    }
  }

  /// Flushes, the rest of a buffer too, then closes. What was accepted is still delivered, as after any close, unless
  /// bytes that the peer has sent lie unread: then TCP resets.
  ///
  /// Idempotent; afterwards every other call throws `.closed`. The corresponding system call is `close`.
  /// - Throws: What `flush(timeout:)` throws. **With sends in flight the socket is still open then**
  ///   (`flushed.remaining`), or with the rest of a buffer unsent: call it again, or `abort()`. With neither it is
  ///   closed all the same.
  public mutating func close(timeout: Duration) throws(ZeroCopyError) {
    try connection.close(Deadline(after: timeout))
  }

  /// Ends the connection now: TCP's unsent data is thrown away and the peer sees a reset. Then it waits up
  /// to one second for notifications that are late, and closes. Datagrams and vsock have no such end: what was
  /// accepted is still delivered.
  ///
  /// Idempotent. The corresponding system calls are `connect(AF_UNSPEC)`, for TCP alone, and `close`.
  /// - Returns: What was confirmed since the last flush. **Where `remaining` is not 0, your own memory in
  ///   those sends must never be used again**: the kernel, a driver or a card may still read it, and nothing will
  ///   say when it has done. Buffers of a pool come back with fresh pages, and objects are kept for ever:
  ///   `statistics` counts both.
  @discardableResult
  public mutating func abort() -> FlushResult { connection.abort() }
}
