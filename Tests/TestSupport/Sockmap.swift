import CTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Takes over what a connected TCP socket sends, by a map of BPF that the socket is put into.
///
/// A socket that is closed leaves the map by itself, and all do when this ends.
public struct Sockmap: ~Copyable, Sendable {
  public enum Kind: Sendable {
    /// Everything goes its ordinary way. A zero-copy send of much takes more than one id then.
    case passing
    /// The peer reads it without TCP, and zero-copy sends are never notified.
    case redirecting
  }

  private let made: cts_sockmap

  /// Whether this process may have such maps, and the kernel has them.
  public static var isAvailable: Bool { (try? Sockmap(.redirecting)) != nil }

  /// An empty map.
  public init(_ kind: Kind) throws {
    var made = cts_sockmap()
    let result = cts_make_sockmap(kind == .redirecting, &made)
    guard result == 0 else { throw SystemFailure(call: "making a map of sockets", errno: -result) }
    self.made = made
  }

  deinit {
    // Before the map goes, which the kernel would do later.
    takeOut()
    close(made.program)
    close(made.map)
  }

  /// Puts in a socket: from now on the map has what it sends.
  /// - Parameter receiver: Where a redirecting map hands that to, such as the other end. Its buffer for receiving
  ///   bounds what can be sent.
  public func put(_ descriptor: CInt, receiver: CInt? = nil) throws {
    if let receiver { try put(receiver, at: CTS_SOCKMAP_RECEIVER) }
    try put(descriptor, at: CTS_SOCKMAP_SENDER)
  }

  /// Takes out what is in it. What a receiver has not read yet is lost then.
  public func takeOut() {
    for place in [CTS_SOCKMAP_SENDER, CTS_SOCKMAP_RECEIVER] {
      _ = cts_take_out_of_sockmap(made.map, CInt(place))
    }
  }

  private func put(_ descriptor: CInt, at place: Int) throws {
    let result = cts_put_into_sockmap(made.map, CInt(place), descriptor)
    guard result == 0 else { throw SystemFailure(call: "putting a socket into the map", errno: -result) }
  }
}

extension Trait where Self == ConditionTrait {
  /// Where sockets can be put into a map of BPF.
  public static var sockmap: Self {
    .enabled(if: Sockmap.isAvailable, "needs bpf(2), which is root's, and a kernel with sockmap")
  }
}
