/// One send that the kernel, or the network card, cuts into several datagrams (UDP generic segmentation): one system
/// call, one notification, and one walk through the network stack for all of them.
extension ZeroCopySocket {
  /// Sends the bytes of several buffers, in order, as datagrams of `segmentSize` bytes, the last one shorter.
  ///
  /// All go, or none. Otherwise as `writeAll` without a segment size; where the socket's configuration has one, this
  /// one counts. The corresponding system call is `sendmsg` with a control message `UDP_SEGMENT`.
  /// - Parameters:
  ///   - buffers: At most 65,507 bytes in all (65,527 over IPv6), and at most 64 segments; 128 from Linux 6.9 on.
  ///   - mode: `nil` for the mode of the socket's configuration. `.automatic` takes the bytes of all segments for
  ///     what it has to send.
  ///   - segmentSize: 1 to 65,535, and no more than a packet of the path takes: its MTU less 28 bytes, 48 over IPv6.
  ///     What is above it is refused, never cut into fragments.
  /// - Throws: As `writev`; `.invalidArgument` for a size out of that range, and on sockets that are not of UDP;
  ///   `.segmentationUnavailable` where the system cannot; `.messageTooLong` with the limit that it is. The socket goes
  ///   on.
  @unsafe public mutating func writeAll(
    _ buffers: Span<UnsafeRawBufferPointer>, mode: WriteMode? = nil, segmentSize: Int
  ) throws(ZeroCopyError) {
    try connection.beginCutting(into: segmentSize)
    defer { connection.endCutting() }
    try unsafe writeAll(buffers, mode: mode)
  }

  /// As `writeAll` with a segment size over a span of buffers.
  @unsafe @inlinable public mutating func writeAll(
    _ buffers: [UnsafeRawBufferPointer], mode: WriteMode? = nil, segmentSize: Int
  ) throws(ZeroCopyError) {
    try unsafe writeAll(buffers.span, mode: mode, segmentSize: segmentSize)
  }

  /// As `writeAll` with a segment size over a span of buffers, for a single one.
  @unsafe public mutating func writeAll(
    _ buffer: UnsafeRawBufferPointer, mode: WriteMode? = nil, segmentSize: Int
  ) throws(ZeroCopyError) {
    try connection.beginCutting(into: segmentSize)
    defer { connection.endCutting() }
    try unsafe writeAll(buffer, mode: mode)
  }

  /// Sends all bytes as datagrams of `segmentSize` bytes, and returns when the kernel has let go of their memory.
  ///
  /// As `writeAndFlush` without a segment size otherwise, and as `writeAll` with one.
  @discardableResult
  public mutating func writeAndFlush(
    _ span: RawSpan, timeout: Duration, mode: WriteMode? = nil, segmentSize: Int
  ) throws(ZeroCopyError) -> FlushResult {
    try connection.beginCutting(into: segmentSize)
    defer { connection.endCutting() }
    return try writeAndFlush(span, timeout: timeout, mode: mode)
  }

  /// As `writeAndFlush` with a segment size over a raw span.
  @discardableResult
  public mutating func writeAndFlush(
    _ span: Span<UInt8>, timeout: Duration, mode: WriteMode? = nil, segmentSize: Int
  ) throws(ZeroCopyError) -> FlushResult {
    // As in `writeAndFlush` without one.
    try writeAndFlush(unsafe span.bytes, timeout: timeout, mode: mode, segmentSize: segmentSize)
  }

  /// Sends a buffer as datagrams of `segmentSize` bytes, the last one shorter, and gives the buffer to the kernel.
  ///
  /// As `send` without a segment size otherwise, and as `writeAll` with one.
  public mutating func send(
    _ buffer: consuming SendBuffer, mode: WriteMode? = nil, segmentSize: Int
  ) throws(ZeroCopyError) {
    try connection.beginCutting(into: segmentSize)
    defer { connection.endCutting() }
    try send(buffer, mode: mode)
  }

  /// Sends a buffer as datagrams of `segmentSize` bytes where the socket takes them now, and gives it back where it
  /// does not.
  ///
  /// As `trySend` without a segment size otherwise, and as `writeAll` with one.
  public mutating func trySend(
    _ buffer: consuming SendBuffer, mode: WriteMode? = nil, segmentSize: Int
  ) throws(ZeroCopyError) -> SendBuffer? {
    try connection.beginCutting(into: segmentSize)
    defer { connection.endCutting() }
    return try trySend(buffer, mode: mode)
  }
}
