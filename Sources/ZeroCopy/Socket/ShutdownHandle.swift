/// Stops a socket from elsewhere: the one thing that another thread may do while one is writing,
/// reading or flushing.
///
/// Copies are of the same socket. A handle does not keep the socket open.
public struct ShutdownHandle: Sendable {
  private let descriptor: Descriptor

  init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  /// Shuts both directions down. Whoever waits in a write, read, flush or close of the socket returns at
  /// once, and throws `.shutDown`, a flush or close only where something is in flight; if nobody
  /// waits now, the next who would does. Does nothing on a closed socket, and nothing the second time. Never waits.
  ///
  /// Sends that are in flight stay in flight: their memory is free only once a later `flush`, which waits
  /// again after `.shutDown` was thrown, or an `abort()` says so.
  ///
  /// The corresponding system call is `shutdown(SHUT_RDWR)`.
  public func shutDown() { descriptor.shutDown() }
}
