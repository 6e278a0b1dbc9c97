public import SystemPackage

/// What went wrong, what had been accepted by then, and what to do about it.
public struct ZeroCopyError: Error, Sendable, CustomStringConvertible {
  /// The kind of an error. More may come: let a `switch` over codes have a `default`.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    /// The name of the code.
    public let description: String

    private init(_ description: String) { self.description = description }

    /// The endpoint's text is malformed, or of a kind that the call cannot use. No socket was made.
    public static let invalidEndpoint = Code("invalidEndpoint")
    /// The name did not resolve. No socket was made.
    public static let unresolvedName = Code("unresolvedName")
    /// Nobody listens there. When connecting, no socket was made; on a datagram socket, which stays
    /// usable, it answers an earlier datagram.
    public static let connectionRefused = Code("connectionRefused")
    /// Connecting failed otherwise; `errno` says how. No socket was made.
    public static let connectFailed = Code("connectFailed")
    /// Listening failed; `errno` says how. No socket was made.
    public static let listenFailed = Code("listenFailed")
    /// The time was up. The socket stays usable, except after `writeAndFlush` has aborted it; when connecting, no
    /// socket was made.
    public static let timedOut = Code("timedOut")
    /// The peer takes fewer bytes a second than `Configuration.leastRate`. The socket stays usable.
    public static let peerTooSlow = Code("peerTooSlow")
    /// A non-blocking descriptor is full or empty now. The socket stays usable.
    public static let wouldBlock = Code("wouldBlock")
    /// The socket was closed, aborted or relinquished before.
    public static let closed = Code("closed")
    /// `finishWriting()`, a `ShutdownHandle` or someone with the descriptor has shut it down. No more can
    /// be written. It is told once: after that `flush` and `close` wait for what is in flight.
    public static let shutDown = Code("shutDown")
    /// The peer or the network has ended the connection; `errno` says how. Not usable any more, except
    /// to `flush` what is in flight, and to `close`.
    public static let connectionLost = Code("connectionLost")
    /// `.zeroCopy` was asked for, and the socket cannot. It stays usable.
    public static let zeroCopyUnavailable = Code("zeroCopyUnavailable")
    /// `.zeroCopy` was asked for, and the user's locked memory (RLIMIT_MEMLOCK) is used up. The socket
    /// stays usable.
    public static let lockedMemoryLimit = Code("lockedMemoryLimit")
    /// `.zeroCopy` was asked for, and the socket's notification memory (net.core.optmem_max) is used up.
    /// The socket stays usable.
    public static let notificationMemoryLimit = Code("notificationMemoryLimit")
    /// `.zeroCopy` was asked for, and this package's own bound on what is in flight is reached:
    /// `Configuration.maximumBytesInFlight`, a `SendBudget`, the one send that an adopted descriptor begins with, or
    /// very many sends (65,536) behind one that is late. The socket stays usable, and writable: wait for a notification
    /// (EPOLLERR) and `reap()`, or `flush`. But where other sockets have used up the budget, none of this one need come:
    /// try again when those were reaped.
    public static let inFlightLimit = Code("inFlightLimit")
    /// The kernel dropped the datagram on its way out. The socket stays usable. With zero copy the memory
    /// may still be in flight: `flush` before it is used again.
    public static let datagramDropped = Code("datagramDropped")
    /// The datagram, or its segments, are larger than the socket or the path takes, or the segments are more than
    /// the kernel makes of one send, or it is more pieces than zero copy takes: 17 pages or parts of pages, as
    /// a rule. Or one that came is longer than the room for it. The message says which. The socket stays usable.
    public static let messageTooLong = Code("messageTooLong")
    /// A send cannot be cut into datagrams: by this kernel (before 4.18), this device (without checksums, before
    /// 6.11), or this socket, whose checksums are switched off. The socket stays usable: send each by itself.
    public static let segmentationUnavailable = Code("segmentationUnavailable")
    /// The memory cannot be read: a mapped file has become shorter, or it is device memory. The socket
    /// stays usable.
    public static let unreadableMemory = Code("unreadableMemory")
    /// Not a connected stream or datagram socket. An adopted descriptor stays the caller's.
    public static let unsuitableDescriptor = Code("unsuitableDescriptor")
    /// Sends are in flight, and the call would lose track of them. Call `flush` first.
    public static let sendsInFlight = Code("sendsInFlight")
    /// A size, a count or a limit that makes no sense. Nothing was made, or sent.
    public static let invalidArgument = Code("invalidArgument")
    /// There is not enough memory. Nothing was made.
    public static let outOfMemory = Code("outOfMemory")
    /// Another system call failed; `errno` says how.
    public static let system = Code("system")
  }

  /// All that it says, behind one pointer: a call that may throw pays for the size of its error on every
  /// return, also where it throws nothing.
  private final class Content: Sendable {
    let code: Code
    let message: String
    let errno: Errno?
    let bytesAccepted: Int
    let isSocketUsable: Bool
    let flushed: FlushResult?

    init(
      _ code: Code, _ message: String, _ errno: Errno?, _ bytesAccepted: Int, _ isSocketUsable: Bool,
      _ flushed: FlushResult?
    ) {
      self.code = code
      self.message = message
      self.errno = errno
      self.bytesAccepted = bytesAccepted
      self.isSocketUsable = isSocketUsable
      self.flushed = flushed
    }
  }

  private let content: Content

  /// What kind of error it is: the thing to decide by.
  public var code: Code { content.code }

  /// What happened, and what to do next.
  public var message: String { content.message }

  /// The kernel's own error, where there was one.
  public var errno: Errno? { content.errno }

  /// How many bytes of this call's buffers were accepted before. They are sent, or on their way.
  public var bytesAccepted: Int { content.bytesAccepted }

  /// Whether the socket can still be written to.
  public var isSocketUsable: Bool { content.isSocketUsable }

  /// What a flush had confirmed by then, where the call was flushing. `remaining` counts the sends whose
  /// memory must still not be touched.
  public var flushed: FlushResult? { content.flushed }

  /// The message, with all counts.
  public var description: String {
    var text = message
    if let errno { text += " (\(errno))" }
    if bytesAccepted > 0 { text += "; \(bytesAccepted) bytes were accepted before" }
    if let flushed { text += "; \(flushed)" }
    return text
  }

  package init(
    _ code: Code, _ message: String, errno: Errno? = nil, bytesAccepted: Int = 0,
    isSocketUsable: Bool, flushed: FlushResult? = nil
  ) {
    content = Content(code, message, errno, bytesAccepted, isSocketUsable, flushed)
  }

  /// The same error, of which there is something better to say.
  func saying(_ message: String) -> ZeroCopyError {
    ZeroCopyError(
      code, message, errno: errno, bytesAccepted: bytesAccepted, isSocketUsable: isSocketUsable,
      flushed: flushed)
  }

  /// The same error, thrown by a call that had got further.
  func adding(bytesAccepted: Int) -> ZeroCopyError {
    ZeroCopyError(
      code, message, errno: errno, bytesAccepted: self.bytesAccepted + bytesAccepted,
      isSocketUsable: isSocketUsable, flushed: flushed)
  }

  func adding(flushed: FlushResult, isSocketUsable: Bool? = nil) -> ZeroCopyError {
    ZeroCopyError(
      code, message, errno: errno, bytesAccepted: bytesAccepted,
      isSocketUsable: isSocketUsable ?? self.isSocketUsable, flushed: flushed)
  }
}
