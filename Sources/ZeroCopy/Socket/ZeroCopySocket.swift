internal import CZeroCopy
public import SystemPackage

/// A connected socket that can send memory without copying it.
///
/// One descriptor, one owner: the value cannot be copied, and two threads cannot write at once. It may
/// be moved to another thread, kept in a class or an actor, or in a `Mutex`. `reader()` gives another
/// thread the reading half, `shutdownHandle` a way to stop it from anywhere.
///
/// A zero-copy send returns as soon as the kernel has taken note of the memory, and reads the memory
/// later. What that means for you depends on the call:
///
/// - `writeAndFlush(_:timeout:)` borrows the memory and returns when the kernel has let go of it.
/// - `writev`, `writeAll` and `flush(timeout:)` are the pair that the kernel offers. **From a zero-copy
///   `writev` or `writeAll` on, the memory must neither change nor be freed until a `flush` has returned,
///   or has thrown an error whose `flushed` says `remaining == 0`.** What is changed earlier reaches the
///   peer changed. They are `@unsafe` for that reason.
///
/// - `send` takes a buffer of a pool, or an object that owns the memory, and keeps it until the kernel has let go.
///
/// **Flush or close a socket before it goes out of scope.** Buffers of a pool, and objects, that are in flight then are
/// still delivered. But a TCP connection is reset where
///
/// - sends of your own memory are in flight: the kernel goes on reading memory that nobody keeps any more, and what it
///   read must not reach the peer;
/// - a part of a buffer that `trySend` gave to the socket is still to be sent: the peer must not take the cut for
///   the end;
/// - bytes that the peer has sent lie unread, as after any `close`.
///
/// Datagrams, vsock and UNIX sockets have no reset. There the kernel goes on reading your own memory, and the rest of a
/// buffer is dropped: the peer of a vsock or UNIX stream reads an orderly end in the middle of it.
public struct ZeroCopySocket: ~Copyable, Sendable {
  var connection: Connection

  /// Connects to the first address that an endpoint resolves to and that answers.
  ///
  /// Each address has `Configuration.connectTimeout`. Resolving a name waits for the system's resolver,
  /// which cannot be bounded in time; give an address where that matters.
  ///
  /// The corresponding system calls are `getaddrinfo`, `socket`, `setsockopt(SO_ZEROCOPY)` and `connect`.
  /// - Throws: `.invalidEndpoint`, `.unresolvedName`, `.connectionRefused`, `.timedOut`, `.connectFailed`;
  ///   `.invalidArgument`, `.segmentationUnavailable` for the configuration's segment size.
  public static func connect(
    to endpoint: Endpoint, configuration: Configuration = Configuration()
  ) throws(ZeroCopyError) -> ZeroCopySocket {
    var failure: ZeroCopyError?
    for address in try endpoint.addresses(passive: false) {
      let number = unsafe withUnsafePointer(to: address) { unsafe czc_open($0) }
      guard number >= 0 else {
        failure = .connectFailed(endpoint, Errno(rawValue: -number))
        continue
      }
      let result = connect(number, to: address, configuration)
      if result == 0 { return try ZeroCopySocket(ours: number, configuration) }
      _ = czc_close(number)
      failure = .connectFailed(endpoint, Errno(rawValue: -result))
    }
    throw failure ?? .connectFailed(endpoint, .noRouteToHost)
  }

  /// Connects to an endpoint given as text: `host:port`, `[v6]:port`, `udp:host:port`, `unix:/path`,
  /// `vsock:cid:port`. As `connect(to:configuration:)` over an `Endpoint`, and throws `.invalidEndpoint` with what is
  /// wrong with a malformed one.
  public static func connect(
    to endpoint: String, configuration: Configuration = Configuration()
  ) throws(ZeroCopyError) -> ZeroCopySocket {
    try connect(to: Endpoint(parsing: endpoint), configuration: configuration)
  }

  /// Takes over the descriptor of a connected stream or datagram socket. It is closed with this value;
  /// where this throws, it stays the caller's, unchanged.
  ///
  /// Nobody else may send without copying, or read the error queue, on it or a duplicate of it: the
  /// notifications are shared. The earlier owner's sends must be over. The first zero-copy send stays
  /// alone in flight until its notification has told where the socket's counter stands. Do not adopt a
  /// descriptor that SwiftNIO or Dispatch serves: they take a notification for an error.
  ///
  /// The descriptor is made close-on-exec, and what the configuration sets is set.
  /// - Throws: `.unsuitableDescriptor`; `.invalidArgument`, `.segmentationUnavailable` for the configuration's
  ///   segment size.
  public init(
    adopting descriptor: FileDescriptor, configuration: Configuration = Configuration()
  ) throws(ZeroCopyError) {
    try self.init(descriptor.rawValue, configuration, hasHistory: true)
  }

  /// - Parameter hasHistory: The descriptor comes from somewhere else: it is checked, and is the
  ///   caller's until nothing can be thrown any more.
  init(_ number: CInt, _ configuration: Configuration, hasHistory: Bool) throws(ZeroCopyError) {
    var facts = czc_socket_facts()
    let result = unsafe czc_inspect(number, &facts)
    var why: String?
    if result < 0 {
      why = "the descriptor is not an open socket"
    } else if facts.type == 0 {
      why = "the socket is neither a stream nor a datagram socket"
    } else if facts.listening {
      why = "the socket listens; adopt what accept() returns"
    } else if !facts.connected, hasHistory {
      why = "the socket is not connected"
    }
    if let why {
      throw ZeroCopyError(
        .unsuitableDescriptor, why, errno: result < 0 ? Errno(rawValue: -result) : nil,
        isSocketUsable: false)
    }
    if let size = configuration.segmentSize { try Segments.set(size, on: number, facts) }
    if hasHistory { _ = czc_prepare(number) }
    configuration.apply(to: number, facts)
    connection = Connection(
      owning: number, facts: facts, availability: .enabling(on: number, facts),
      configuration: configuration, hasHistory: hasHistory)
  }

  /// A descriptor that this package has just made, whose counter stands at 0.
  init(ours number: CInt, _ configuration: Configuration) throws(ZeroCopyError) {
    do throws(ZeroCopyError) {
      try self.init(number, configuration, hasHistory: false)
    } catch {
      _ = czc_close(number)
      throw error
    }
  }

  private static func connect(
    _ number: CInt, to address: czc_address, _ configuration: Configuration
  ) -> CInt {
    // C copies the address and keeps no pointer.
    unsafe withUnsafePointer(to: address) {
      unsafe czc_connect(number, $0, configuration.connectTimeout.wholeNanoseconds)
    }
  }

  // A struct's deinit cannot call mutating methods on itself, but it may take its parts out.
  deinit {
    var connection = connection
    connection.abandon()
  }
}

extension ZeroCopySocket {
  /// Whether this socket can send without copying, and in words why not.
  public var availability: Availability { connection.availability }

  /// What has happened on this socket so far.
  public var statistics: Statistics { connection.currentStatistics }

  /// What `.automatic` does on this socket, for each size of which something was sent, small sizes first. What is
  /// below 4,096 bytes, or longer than the path takes in one piece, is always copied and not listed.
  public var decisions: [SendDecision] { connection.policy.states.map(SendDecision.init) }

  /// The descriptor, lent: for options and questions of your own. The socket remembers that it was: where ids are lost
  /// it then rests on less, and may have to copy from then on (`Availability.Reason.neverNotified`). Do not close it, do not send with
  /// `MSG_ZEROCOPY` on it, do not read its error queue, and call `finishWriting()` rather than `shutdown(2)`.
  /// -1 once closed.
  public var fileDescriptor: FileDescriptor {
    if connection.isClosed { return FileDescriptor(rawValue: -1) }
    connection.descriptor.lend()
    return FileDescriptor(rawValue: connection.number)
  }

  /// This end's address, for instance "127.0.0.1:40000". Empty where there is none.
  /// The corresponding system call is `getsockname`.
  public var localAddress: String {
    if connection.isClosed { return "" }
    return unsafe describe { unsafe czc_local_address_text(connection.number, $0, $1) }
  }

  /// The peer's address. Empty where there is none, or none any more.
  /// The corresponding system call is `getpeername`.
  public var peerAddress: String {
    if connection.isClosed { return "" }
    return unsafe describe { unsafe czc_peer_address_text(connection.number, $0, $1) }
  }

  /// A way to stop this socket from another thread. See `ShutdownHandle`.
  public var shutdownHandle: ShutdownHandle { ShutdownHandle(connection.descriptor) }

  /// The reading half, for another thread. It has a duplicate of the descriptor.
  ///
  /// The corresponding system call is `fcntl(F_DUPFD_CLOEXEC)`.
  /// - Throws: `.closed`; `.system` where the process has no descriptor left.
  public func reader() throws(ZeroCopyError) -> SocketReader {
    try connection.checkOpen()
    let copy = connection.descriptor.duplicate()
    guard copy >= 0 else { throw .failure(Errno(rawValue: -copy), "duplicating the descriptor") }
    return SocketReader(connection.readSide(copy))
  }

  /// Reads what there is into a span, waiting for the first byte.
  ///
  /// On a blocking descriptor it waits up to `Configuration.readTimeout`. The corresponding system call
  /// is `recv`.
  /// - Returns: The bytes read; 0 at the end of the stream, for an empty datagram, and for an empty span.
  /// - Throws: `.timedOut`, `.wouldBlock`, and on datagram sockets `.connectionRefused` and `.messageTooLong`, where a
  ///   datagram was longer than the span: its beginning is there, its rest is gone. After these the socket goes on.
  ///   `.connectionLost`, `.shutDown`, `.closed`: it does not. Of `.system` the error says it (`isSocketUsable`).
  public mutating func read(into span: inout MutableSpan<UInt8>) throws(ZeroCopyError) -> Int {
    try connection.checkOpen()
    do throws(ZeroCopyError) {
      return try connection.readSide(connection.number).receive(into: &span)
    } catch {
      if error.code == .connectionLost { connection.isLossTold = true }
      throw error
    }
  }

  /// Reads into memory that the caller vouches for. As `read(into:)` over a span.
  @unsafe
  public mutating func read(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(ZeroCopyError) -> Int {
    // The span covers the caller's memory for the length of the call.
    var span = unsafe MutableSpan<UInt8>(_unsafeBytes: buffer)
    return try read(into: &span)
  }

  /// Hands the descriptor to the caller and is closed from then on.
  ///
  /// Options stay as they are, `SO_ZEROCOPY` among them.
  /// - Throws: `.sendsInFlight` where something is in flight: flush first. `.closed`.
  public mutating func relinquish() throws(ZeroCopyError) -> FileDescriptor {
    FileDescriptor(rawValue: try connection.relinquish())
  }
}

extension Configuration {
  /// Sets the options. One that the socket does not have (TCP_NODELAY on a datagram socket) is passed
  /// over; none of them is a reason to fail.
  func apply(to number: CInt, _ facts: czc_socket_facts) {
    if let writeTimeout { _ = czc_set_send_timeout(number, max(1, writeTimeout.wholeNanoseconds)) }
    if let readTimeout { _ = czc_set_receive_timeout(number, max(1, readTimeout.wholeNanoseconds)) }
    if let noDelay, facts.is_tcp { _ = czc_set_no_delay(number, noDelay) }
    if let keepAlive, facts.is_tcp { _ = czc_set_keep_alive(number, keepAlive) }
    if let acknowledgementTimeout, facts.is_tcp {
      _ = czc_set_user_timeout(number, max(1, acknowledgementTimeout.wholeNanoseconds))
    }
    if let sendBufferSize { _ = czc_set_send_buffer(number, CInt(clamping: sendBufferSize)) }
  }
}

extension ZeroCopyError {
  fileprivate static func connectFailed(_ endpoint: Endpoint, _ errno: Errno) -> ZeroCopyError {
    let (code, remedy): (Code, String) =
      switch errno {
      case .connectionRefused: (.connectionRefused, "nobody listens there; start the receiver first")
      // vsock's answer to a port that nobody listens on.
      case .connectionReset where endpoint.isVsock:
        (.connectionRefused, "nobody listens there; start the receiver first")
      case .operationNotSupportedByDevice where endpoint.isVsock,
        .addressFamilyNotSupported where endpoint.isVsock:
        (
          .connectFailed,
          "this machine has no way to that CID: a virtual machine's device, or for CID 1 the module vsock_loopback"
        )
      // Of the system itself, after two seconds: nothing with that CID has answered.
      case .timedOut where endpoint.isVsock:
        (
          .timedOut,
          "no answer; does the virtual machine with that CID run, and for CID 1, is the module vsock_loopback there?"
        )
      case .noSuchFileOrDirectory:
        (.connectionRefused, "there is no such socket; start the receiver first")
      case .timedOut: (.timedOut, "no answer in time; is the host up, does a firewall drop packets?")
      case .tooManyOpenFiles, .tooManyOpenFilesInSystem: (.connectFailed, "raise 'ulimit -n'")
      default: (.connectFailed, "check the address and the route")
      }
    return ZeroCopyError(
      code, "cannot connect to \(endpoint): \(remedy)", errno: errno, isSocketUsable: false)
  }
}
