internal import CZeroCopy
internal import SystemPackage

/// The reading half of a socket, for another thread than the one that writes.
///
/// It has a duplicate of the descriptor. It reads until the end of the stream, or until the socket is
/// closed, aborted or shut down, which ends its reads.
public struct SocketReader: ~Copyable, Sendable {
  private let descriptor: Descriptor
  private let number: CInt
  private let timeout: Duration?
  private var isClosed = false

  init(duplicate number: CInt, timeout: Duration?) {
    descriptor = Descriptor(number)
    self.number = number
    self.timeout = timeout
  }

  /// Reads what there is, waiting for the first byte. As `ZeroCopySocket.read(into:)`.
  @discardableResult
  public mutating func read(into span: inout MutableSpan<UInt8>) throws(ZeroCopyError) -> Int {
    guard !isClosed else { throw .closed }
    return try receive(from: number, into: &span, timeout: timeout)
  }

  /// As `read(into:)` over a span, into memory that the caller vouches for.
  @unsafe @discardableResult
  public mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ZeroCopyError) -> Int {
    guard !isClosed else { throw .closed }
    return try unsafe receive(from: number, into: buffer, timeout: timeout)
  }

  /// Closes the reader's own descriptor; the socket goes on. Calling it again does nothing.
  public mutating func close() {
    isClosed = true
    descriptor.close()
  }
}

/// recv(2), until bytes come, the stream ends, or the time is up.
func receive(
  from number: CInt, into span: inout MutableSpan<UInt8>, timeout: Duration?
) throws(ZeroCopyError) -> Int {
  // The pointer does not leave the call.
  try unsafe span.withUnsafeMutableBufferPointer { (buffer) throws(ZeroCopyError) -> Int in
    try unsafe receive(from: number, into: UnsafeMutableRawBufferPointer(buffer), timeout: timeout)
  }
}

@unsafe func receive(
  from number: CInt, into buffer: UnsafeMutableRawBufferPointer, timeout: Duration?
) throws(ZeroCopyError) -> Int {
  guard unsafe !buffer.isEmpty else { return 0 }
  var patience = Patience(timeout)
  while true {
    let count = unsafe czc_receive(number, buffer.baseAddress, buffer.count)
    if count >= 0 { return Int(count) }
    let errno = Errno(rawValue: CInt(-count))
    if errno == .interrupted, patience.isLeft { continue }
    guard errno == .interrupted || errno == .resourceTemporarilyUnavailable else {
      throw .failure(errno, "reading")
    }
    if errno != .interrupted, czc_is_nonblocking(number) == 1 {
      throw .wouldBlock
    }
    throw .timedOut("reading", "the peer has sent nothing")
  }
}

/// Bounds a call that the kernel bounds by itself, but anew after each signal. The clock is read only
/// once there was one.
struct Patience {
  private let timeout: Duration?
  private var deadline: Deadline?

  init(_ timeout: Duration?) { self.timeout = timeout }

  /// Whether to try again after EINTR.
  var isLeft: Bool {
    mutating get {
      if let deadline { return !deadline.hasPassed }
      deadline = Deadline(after: timeout)
      return true
    }
  }
}
