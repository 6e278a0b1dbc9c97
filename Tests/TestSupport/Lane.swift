import CLanes
import Testing
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The network that this process was started in by `zerocopy lane`: one in which zero copy really happens.
public enum Lane: String, Sendable {
  case sink, wire

  /// `nil` on an ordinary network.
  public static let here = variable("ZEROCOPY_LANE").flatMap(Lane.init)

  /// Whether packets, and with them memory, are held for a while after the socket is done with them.
  public static let isLate = variable("ZEROCOPY_LANE_LATE") != nil

  /// Runs a body in the network at the other end of the wire: the sockets that it makes belong there.
  public static func atOtherEnd(_ body: @escaping @Sendable () throws -> Void) throws {
    guard let path = variable("ZEROCOPY_LANE_PEER_NETWORK") else {
      throw SystemFailure(call: "finding the other end of the wire", errno: ENOENT)
    }
    try onOwnThread {
      let network = open(path, O_RDONLY | O_CLOEXEC)
      defer { close(network) }
      let result = cln_enter_network(network)
      guard result == 0 else { throw SystemFailure(call: "entering \(path)", errno: -result) }
      try body()
    }
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

extension Trait where Self == ConditionTrait {
  /// Only in that lane: `Scripts/test-lanes.sh` enters each.
  public static func lane(_ lane: Lane) -> Self {
    .enabled(if: Lane.here == lane, "needs the lane '\(lane.rawValue)': zerocopy lane \(lane.rawValue) -- …")
  }
}

extension Connected {
  /// A connection over the wire: the server is at its other end.
  public static func onWire(
    _ family: Family = .ipv4, client: Configuration = Configuration(), server: Configuration = Configuration()
  ) throws -> Connected {
    let endpoint = family == .ipv6 ? "[fd77::2]:0" : "10.77.0.2:0"
    let made = Handoff<ZeroCopyListener>()
    try Lane.atOtherEnd { made.put(try ZeroCopyListener(binding: endpoint, configuration: server)) }
    return try Connected(through: made.take(), client: client)
  }
}
