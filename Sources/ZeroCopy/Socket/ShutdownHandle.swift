/// Stops a socket from elsewhere: the one thing that another thread may do while one is writing,
/// reading or flushing.
///
/// Copies are of the same socket. A handle does not keep the socket open.
public struct ShutdownHandle: Sendable {
  private let descriptor: Descriptor

  init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  /// Shuts both directions down. Whoever waits in a write, read, flush or close of the socket returns at
  /// once, and throws `.shutDown` where something was left to do. Does nothing on a closed socket, and
  /// nothing the second time. Never waits.
  ///
  /// Sends that are in flight stay in flight: their memory is free only once a `flush`, or an
  /// `abort()`, of the socket says so.
  ///
  /// The corresponding system call is `shutdown(SHUT_RDWR)`.
  public func shutDown() { descriptor.shutDown() }
}
