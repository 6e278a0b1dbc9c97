internal import CZeroCopy
public import SystemPackage

/// Whether a socket can send without copying, and why not.
///
/// Available means that the kernel takes the request. Whether it then really avoids the copy depends on
/// the path: `FlushResult.copied` tells.
public enum Availability: Sendable, Hashable, CustomStringConvertible {
  /// `.zeroCopy` sends without copying, where the path allows it.
  case available
  /// `.zeroCopy` throws, and `.automatic` copies, for this reason.
  case unavailable(Reason)

  /// Whether it is `.available`.
  public var isAvailable: Bool { self == .available }

  /// "available", or "unavailable: " and why, for a person.
  public var description: String {
    switch self {
    case .available: "available"
    case .unavailable(let reason): "unavailable: \(reason)"
    }
  }

  /// Why a socket cannot send without copying. More reasons may come.
  public struct Reason: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: Hashable {
      case platform, switchedOff, unixSocket, vsock, protocolFamily, upperLayer, earlierSends, optionOff,
        neverNotified, foreignIDs
      case kernel(Errno)
    }

    private let kind: Kind

    private init(_ kind: Kind) { self.kind = kind }

    /// The operating system has no `MSG_ZEROCOPY`.
    public static let platform = Reason(.platform)
    /// The environment variable `ZEROCOPY_DISABLE` is set, to something else than 0.
    public static let switchedOff = Reason(.switchedOff)
    /// AF_UNIX has no zero copy in Linux.
    public static let unixSocket = Reason(.unixSocket)
    /// The kernel, or the way to that CID, has no zero copy for vsock.
    public static let vsock = Reason(.vsock)
    /// Neither TCP nor UDP: MPTCP, SCTP and others.
    public static let protocolFamily = Reason(.protocolFamily)
    /// A TCP upper-layer protocol, kernel TLS for instance, is attached.
    public static let upperLayerProtocol = Reason(.upperLayer)
    /// An adopted descriptor has zero-copy sends of an earlier owner in flight, or a socket filter that
    /// cannot be told from them.
    public static let earlierSends = Reason(.earlierSends)
    /// Somebody with the descriptor has switched `SO_ZEROCOPY` off.
    public static let optionSwitchedOff = Reason(.optionOff)
    /// A send without copying was taken and never notified: what is between the socket and the network, an eBPF
    /// program of this machine for instance, or another reader of the error queue, does not let notifications through.
    public static let neverNotified = Reason(.neverNotified)
    /// Again and again notifications came that were not this socket's: somebody else sends on the same descriptor, or
    /// an eBPF program cuts its sends.
    public static let foreignNotifications = Reason(.foreignIDs)
    /// The kernel refused `SO_ZEROCOPY`; `.platform` where it does not know it (ENOSYS).
    public static func refused(_ errno: Errno) -> Reason {
      errno == .noFunction ? .platform : Reason(.kernel(errno))
    }

    /// The reason in words, with what to do about it.
    public var description: String {
      switch kind {
      case .platform: "this operating system has no MSG_ZEROCOPY; sends are copied"
      case .switchedOff: "switched off by the environment variable ZEROCOPY_DISABLE; unset it"
      case .unixSocket: "Linux has no zero copy for UNIX sockets; sends are copied"
      case .vsock:
        "vsock has zero copy from Linux 6.7 on, over virtio and to this machine itself, and not here; sends are copied"
      case .protocolFamily: "Linux has zero copy for plain TCP, UDP and vsock streams only; sends are copied"
      case .upperLayer: "kernel TLS, or another upper-layer protocol, refuses zero copy on this socket"
      case .earlierSends:
        "zero-copy sends of an earlier owner are in flight, or a socket filter that cannot be told from them is attached;"
          + " flush before handing a descriptor over"
      case .optionOff: "somebody with the descriptor has switched SO_ZEROCOPY off; sends are copied"
      case .neverNotified:
        "a send was never notified: an eBPF program (a sockmap) takes this machine's connections over, or somebody else"
          + " reads the socket's error queue; sends are copied"
      case .foreignIDs:
        "notifications came that were not this socket's: somebody else sends on the same descriptor, or an eBPF program"
          + " cuts its sends; sends are copied"
      case .kernel(let errno):
        "the kernel refused SO_ZEROCOPY (\(errno)); Linux 4.14 has it for TCP, 5.0 for UDP"
      }
    }
  }
}

extension Availability {
  /// Switches zero copy on for a new or adopted socket, and says whether it is.
  static func enabling(on descriptor: CInt, _ facts: czc_socket_facts) -> Availability {
    if czc_switched_off() == 1 { return .unavailable(.switchedOff) }
    switch Int(facts.family) {
    case Int(CZC_FAMILY_UNIX): return .unavailable(.unixSocket)
    default: break
    }
    let isVsock = facts.family == CZC_FAMILY_VSOCK
    if facts.upper_layer { return .unavailable(.upperLayerProtocol) }
    if facts.type == CZC_STREAM, !facts.is_tcp, !isVsock { return .unavailable(.protocolFamily) }
    if facts.type != CZC_STREAM, isVsock { return .unavailable(.protocolFamily) }
    // An accepted TCP socket has it from its listener (rule 20); asking again does no harm, and on a kernel
    // that refuses it once connected the answer below is what counts. On vsock none inherits it (rule 5).
    let result = czc_enable_zerocopy(descriptor)
    if czc_zerocopy_enabled(descriptor) == 1 { return .available }
    if isVsock { return .unavailable(.vsock) }
    return .unavailable(.refused(result < 0 ? Errno(rawValue: -result) : .notSupportedOnSocket))
  }
}
