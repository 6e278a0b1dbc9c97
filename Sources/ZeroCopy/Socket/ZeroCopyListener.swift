internal import CZeroCopy
public import SystemPackage

/// A listening socket whose connections can send without copying.
///
/// `SO_ZEROCOPY` is set before it listens, because an accepted socket inherits what the listener had
/// before the handshake.
public struct ZeroCopyListener: ~Copyable, Sendable {
  private let descriptor: Descriptor
  private let number: CInt
  private let endpoint: Endpoint
  private let configuration: Configuration
  /// The socket file that this listener has made, for a UNIX path.
  private let file: czc_file_identity?
  private var isClosed = false

  /// Binds to an endpoint and listens. Port 0 takes a free port, see `localAddress`. A UNIX path must not
  /// exist; it is removed when the listener is closed, unless others have made their own there since.
  ///
  /// The corresponding system calls are `socket`, `setsockopt(SO_ZEROCOPY)`, `bind` and `listen`.
  /// - Parameters:
  ///   - endpoint: A stream endpoint; 0.0.0.0 and [::] are every address of this machine.
  ///   - configuration: For the sockets that will be accepted.
  /// - Throws: `.invalidEndpoint`, for datagram endpoints too; `.unresolvedName`; `.listenFailed`;
  ///   `.invalidArgument` for a segment size.
  public init(
    binding endpoint: Endpoint, configuration: Configuration = Configuration()
  ) throws(ZeroCopyError) {
    guard endpoint.isStream else {
      throw ZeroCopyError(
        .invalidEndpoint, "'\(endpoint)' is a datagram endpoint, which nothing can be accepted from",
        isSocketUsable: false)
    }
    if configuration.segmentSize != nil {
      throw ZeroCopyError(
        .invalidArgument, "segmentSize is for UDP sockets, and none is accepted here", isSocketUsable: false)
    }
    var failure = Errno.addressNotAvailable
    for address in try endpoint.addresses(passive: true) {
      let number = unsafe withUnsafePointer(to: address) { unsafe Self.listen(on: $0) }
      if number >= 0 {
        descriptor = Descriptor(number)
        self.number = number
        self.endpoint = endpoint
        self.configuration = configuration
        file = endpoint.madeFile
        return
      }
      failure = Errno(rawValue: -number)
    }
    throw ZeroCopyError(
      .listenFailed, "cannot listen on \(endpoint)\(endpoint.listenRemedy(failure))", errno: failure,
      isSocketUsable: false)
  }

  /// As `init(binding:configuration:)` over an `Endpoint`.
  public init(
    binding endpoint: String, configuration: Configuration = Configuration()
  ) throws(ZeroCopyError) {
    try self.init(binding: Endpoint(parsing: endpoint), configuration: configuration)
  }

  @unsafe private static func listen(on address: UnsafePointer<czc_address>) -> CInt {
    let number = unsafe czc_open(address)
    guard number >= 0 else { return number }
    // Refused where the family has none; what an accepted socket has is read back from it (rule 20).
    if czc_switched_off() == 0 { _ = czc_enable_zerocopy(number) }
    let result = unsafe czc_listen(number, address, 1024)
    if result == 0 { return number }
    _ = czc_close(number)
    return result
  }

  /// The address that it listens on: with the port that was taken, where 0 was asked for.
  /// The corresponding system call is `getsockname`.
  public var localAddress: String {
    if isClosed { return "" }
    return unsafe describe { unsafe czc_local_address_text(number, $0, $1) }
  }

  /// The descriptor, lent: for options of your own. It is non-blocking. -1 once closed.
  public var fileDescriptor: FileDescriptor { FileDescriptor(rawValue: isClosed ? -1 : number) }

  /// A way to stop an accept that waits, from another thread.
  public var shutdownHandle: ShutdownHandle { ShutdownHandle(descriptor) }

  /// Takes the next connection, waiting for one.
  ///
  /// The corresponding system call is `accept4`.
  /// - Parameter timeout: The longest to wait; `nil` is for ever.
  /// - Throws: `.timedOut`; `.system` with the errno, EMFILE for instance: the listener goes on. `.closed`,
  ///   `.shutDown`: it does not.
  public mutating func accept(timeout: Duration? = nil) throws(ZeroCopyError) -> ZeroCopySocket {
    guard !isClosed else { throw .closed }
    let accepted = czc_accept(number, timeout?.wholeNanoseconds ?? .max)
    if accepted >= 0 { return try ZeroCopySocket(ours: accepted, configuration) }
    let errno = Errno(rawValue: -accepted)
    guard errno != .timedOut else { throw .timedOut("accepting", "nobody has connected") }
    if descriptor.wasShutDown { throw .shutDown }
    throw .failure(errno, "accepting")
  }

  /// Stops listening. Connections that were accepted go on. Calling it again does nothing.
  public mutating func close() {
    guard !isClosed else { return }
    isClosed = true
    removeFile()
    descriptor.close()
  }

  private func removeFile() {
    guard let file, case .unix(let path) = endpoint.kind else { return }
    _ = unsafe czc_remove_file(path, file)
  }

  // Not left to the descriptor's own end: a handle may keep that.
  deinit {
    if isClosed { return }
    removeFile()
    descriptor.close()
  }
}

extension Endpoint {
  /// The socket file of a UNIX path that was just bound.
  fileprivate var madeFile: czc_file_identity? {
    guard case .unix(let path) = kind, !path.hasPrefix("@") else { return nil }
    var identity = czc_file_identity()
    // C writes the identity and keeps no pointer.
    return unsafe czc_identify(path, &identity) == 0 ? identity : nil
  }

  fileprivate func listenRemedy(_ errno: Errno) -> String {
    switch (errno, kind) {
    case (.addressInUse, .unix): ": take another path, or remove the socket there if nobody serves it"
    case (.noSuchFileOrDirectory, .unix), (.notDirectory, .unix): ": there is no such folder; make it first"
    case (.addressInUse, _): ": another program listens there; take another port, or 0 for a free one"
    case (.addressNotAvailable, _): ": it is no address of this machine"
    case (.permissionDenied, _): ": ports below 1024, and this path, need a permission"
    default: ""
    }
  }
}
