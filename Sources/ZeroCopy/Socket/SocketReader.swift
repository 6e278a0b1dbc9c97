internal import CZeroCopy

/// The reading half of a socket, for another thread than the one that writes.
///
/// It has a duplicate of the descriptor. It reads until the end of the stream, or until the socket is shut
/// down, closed or aborted: its reads end then, and throw `.shutDown`, `.closed` or `.connectionLost`, so that
/// a stream that was cut short is not taken for a whole one.
public struct SocketReader: ~Copyable, Sendable {
  private let descriptor: Descriptor
  private let readSide: ReadSide
  private var isClosed = false

  /// - Parameter readSide: Of the duplicate, which is closed with this value.
  init(_ readSide: ReadSide) {
    descriptor = Descriptor(readSide.number)
    self.readSide = readSide
  }

  /// Reads what there is into a span, waiting for the first byte. As `ZeroCopySocket.read(into:)`.
  public mutating func read(into span: inout MutableSpan<UInt8>) throws(ZeroCopyError) -> Int {
    guard !isClosed else { throw .closed }
    return try readSide.receive(into: &span)
  }

  /// As `read(into:)` over a span, into memory that the caller vouches for.
  @unsafe
  public mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ZeroCopyError) -> Int {
    guard !isClosed else { throw .closed }
    return try unsafe readSide.receive(into: buffer)
  }

  /// Closes the reader's own descriptor; the socket goes on. Calling it again does nothing.
  public mutating func close() {
    isClosed = true
    descriptor.close()
  }
}
