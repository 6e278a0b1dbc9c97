/// Where to connect to or to listen: `host:port`, `[v6]:port`, `udp:host:port`, `unix:/path`,
/// `unix:@abstract-name` or `vsock:cid:port`; `tcp:host:port` is `host:port`.
public struct Endpoint: Sendable, Hashable, LosslessStringConvertible {
  enum Kind: Hashable {
    case internet(host: String, port: UInt16, isDatagram: Bool)
    case unix(path: String)
    case vsock(cid: UInt32, port: UInt32)
  }

  let kind: Kind

  /// TCP to a name or an address.
  public static func tcp(host: String, port: UInt16) -> Endpoint {
    Endpoint(kind: .internet(host: host, port: port, isDatagram: false))
  }

  /// UDP to a name or an address.
  public static func udp(host: String, port: UInt16) -> Endpoint {
    Endpoint(kind: .internet(host: host, port: port, isDatagram: true))
  }

  /// A UNIX stream socket; a leading `@` is an abstract name.
  public static func unix(path: String) -> Endpoint { Endpoint(kind: .unix(path: path)) }

  /// A virtual machine's stream socket: 2 is the host, 1 the machine itself.
  public static func vsock(cid: UInt32, port: UInt32) -> Endpoint {
    Endpoint(kind: .vsock(cid: cid, port: port))
  }

  private init(kind: Kind) { self.kind = kind }

  /// `nil` where the text is malformed; `init(parsing:)` says what is wrong with it.
  public init?(_ description: String) {
    guard let endpoint = try? Endpoint(parsing: description) else { return nil }
    self = endpoint
  }

  /// The text that `init(_:)` makes the same endpoint of.
  public var description: String {
    switch kind {
    case .internet(let host, let port, let isDatagram):
      Endpoint.scheme(isDatagram, host) + (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
    case .unix(let path): "unix:\(path)"
    case .vsock(let cid, let port): "vsock:\(cid):\(port)"
    }
  }

  /// TCP goes without saying, except to a host that is called like another scheme.
  private static func scheme(_ isDatagram: Bool, _ host: String) -> String {
    if isDatagram { return "udp:" }
    return ["tcp", "udp", "unix", "vsock"].contains(host) ? "tcp:" : ""
  }

  var isVsock: Bool {
    if case .vsock = kind { true } else { false }
  }

  /// Whether it names a stream, and not datagrams.
  package var isStream: Bool {
    if case .internet(_, _, isDatagram: true) = kind { false } else { true }
  }
}

extension Endpoint {
  /// As `init(_:)`, and says what is wrong with a malformed text.
  /// - Throws: `.invalidEndpoint`.
  public init(parsing text: String) throws(ZeroCopyError) {
    func malformed(_ why: String) -> ZeroCopyError {
      ZeroCopyError(
        .invalidEndpoint,
        "'\(text)' is no endpoint: \(why); write HOST:PORT, [IPV6]:PORT, udp:HOST:PORT, unix:/PATH"
          + " or vsock:CID:PORT", isSocketUsable: false)
    }
    if text.utf8.contains(0) { throw malformed("it contains a zero byte") }
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst("unix:".count))
      guard !path.isEmpty, path != "@" else { throw malformed("the path is empty") }
      self = .unix(path: path)
      return
    }
    if text.hasPrefix("vsock:") {
      let parts = text.dropFirst("vsock:".count).split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ $0.allSatisfy(\.isNumber) }), let cid = UInt32(parts[0]),
        let port = UInt32(parts[1])
      else {
        throw malformed("a vsock address is two numbers")
      }
      self = .vsock(cid: cid, port: port)
      return
    }
    let isDatagram = text.hasPrefix("udp:")
    let address = isDatagram || text.hasPrefix("tcp:") ? text.dropFirst("udp:".count) : text[...]
    guard let colon = address.lastIndex(of: ":") else { throw malformed("the port is missing") }
    var host = address[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
      host = host.dropFirst().dropLast()
    } else if host.contains(where: { $0 == "[" || $0 == "]" }) {
      throw malformed("the brackets do not match")
    } else if host.contains(":") {
      throw malformed("an IPv6 address is written in brackets")
    }
    if host.isEmpty { throw malformed("the host is missing (0.0.0.0 or [::] is every address here)") }
    let digits = address[address.index(after: colon)...]
    guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else {
      throw malformed("'\(digits)' is no port from 0 to 65535")
    }
    self = isDatagram ? .udp(host: String(host), port: port) : .tcp(host: String(host), port: port)
  }
}
