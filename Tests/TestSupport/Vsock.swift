import Testing
import ZeroCopy

/// vsock from this machine to itself, as a virtual machine's other end is its host.
public enum Vsock {
  /// Context 1 is the machine itself; the largest number stands for any port.
  public static let freeEndpoint = "vsock:1:4294967295"

  /// What a socket says of zero copy there; `nil` without such sockets.
  public static let availability: Availability? = {
    guard var listener = try? ZeroCopyListener(binding: freeEndpoint),
      let client = try? ZeroCopySocket.connect(to: listener.localAddress)
    else { return nil }
    listener.close()
    return client.availability
  }()
}

extension Trait where Self == ConditionTrait {
  /// Where this machine can connect to itself by vsock.
  public static var vsock: Self {
    .enabled(if: Vsock.availability != nil, "needs vsock to this machine itself: module vsock_loopback")
  }

  /// And without copying.
  public static var vsockZeroCopy: Self {
    .enabled(
      if: Vsock.availability == .available,
      "needs zero copy on vsock to this machine itself: module vsock_loopback, Linux 6.7")
  }
}

extension Connected {
  /// A connection over vsock, from this machine to itself.
  public static func onVsock(
    client: Configuration = Configuration(), server: Configuration = Configuration()
  ) throws -> Connected {
    try Connected(
      through: try ZeroCopyListener(binding: Vsock.freeEndpoint, configuration: server), client: client)
  }
}
