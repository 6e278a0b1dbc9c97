internal import SystemPackage

/// The errors that have no better place: an errno or a state turned into words.
extension ZeroCopyError {
  static var closed: ZeroCopyError {
    ZeroCopyError(.closed, "the socket is closed", isSocketUsable: false)
  }

  static var shutDown: ZeroCopyError {
    ZeroCopyError(
      .shutDown, "the socket was shut down; close or abort it", isSocketUsable: false)
  }

  static var wouldBlock: ZeroCopyError {
    ZeroCopyError(
      .wouldBlock, "the non-blocking descriptor is not ready; wait for it and try again",
      isSocketUsable: true)
  }

  static func timedOut(_ doing: String, _ remedy: String) -> ZeroCopyError {
    ZeroCopyError(.timedOut, "time was up while \(doing); \(remedy)", isSocketUsable: true)
  }

  static func tooSlow(_ doing: String, _ leastRate: Int) -> ZeroCopyError {
    ZeroCopyError(
      .peerTooSlow,
      "the peer has acknowledged fewer than the \(leastRate) bytes a second of leastRate while \(doing); abort",
      isSocketUsable: true)
  }

  static func unavailable(_ reason: Availability.Reason) -> ZeroCopyError {
    ZeroCopyError(
      .zeroCopyUnavailable, "zero copy is unavailable: \(reason); use .automatic or .copy",
      isSocketUsable: true)
  }

  /// Of a datagram that is longer than the room for it the rest is gone.
  static func datagramCut(_ byteCount: Int, _ room: Int) -> ZeroCopyError {
    ZeroCopyError(
      .messageTooLong,
      "a datagram of \(byteCount) bytes was cut to the \(room) that there was room for; give more, 65,535 hold any",
      isSocketUsable: true)
  }

  static func lost(_ errno: Errno, _ doing: String) -> ZeroCopyError {
    ZeroCopyError(
      .connectionLost, "the connection was lost while \(doing); connect again", errno: errno,
      isSocketUsable: false)
  }

  /// A failed system call that is neither a full socket, nor an exhausted limit, nor a stream's end.
  /// - Parameter isTCP: What the network says of the way TCP has survived, and goes on.
  static func failure(_ errno: Errno, _ doing: String, isTCP: Bool = false) -> ZeroCopyError {
    switch errno {
    case _ where isTCP && errno.isOfTheNetwork:
      ZeroCopyError(
        .system, "the network reported an error while \(doing), and the connection goes on: try again",
        errno: errno, isSocketUsable: true)
    case .connectionRefused:
      ZeroCopyError(
        .connectionRefused, "nobody listens at the peer's port", errno: errno, isSocketUsable: true)
    case .messageTooLong:
      ZeroCopyError(
        .messageTooLong,
        "the datagram is too long for the socket or the path, or is more pieces than zero copy takes (17); send"
          + " less at a time, or fewer pieces",
        errno: errno, isSocketUsable: true)
    case .badAddress:
      ZeroCopyError(
        .unreadableMemory,
        "the kernel cannot read the memory: a mapped file has become shorter, or it is device memory",
        errno: errno, isSocketUsable: true)
    case .notPermitted, .permissionDenied:
      ZeroCopyError(
        .system,
        "\(doing) failed: this machine does not permit it; look at its firewall ('nft list ruleset'), at eBPF programs, and"
          + " at the sandbox that the program runs in",
        errno: errno, isSocketUsable: true)
    case .badFileDescriptor, .notSocket, .socketNotConnected, .addressRequired:
      ZeroCopyError(
        .unsuitableDescriptor, "the descriptor is not a connected socket", errno: errno,
        isSocketUsable: false)
    default:
      ZeroCopyError(.system, "\(doing) failed", errno: errno, isSocketUsable: true)
    }
  }
}
