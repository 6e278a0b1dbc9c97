internal import CZeroCopy
internal import SystemPackage

/// How the sends of a socket become datagrams.
struct Segments: Sendable {
  /// The bytes that a segment size may have. The kernel has 16 bits for it.
  static let sizes = 1...Int(UInt16.max)

  /// Bytes of each datagram that a send is cut into unless a call says otherwise; 0: a send is one datagram.
  private let ofSocket: Int
  /// The same of the call under way; 0: as the socket has it.
  var ofCall: UInt16 = 0
  /// What keeps a send from being cut at all.
  private let hindrance: Hindrance?
  /// The most bytes of a datagram that go as one packet; more is cut into fragments. As it was when the path was asked.
  private var longestPacket: Int

  private enum Hindrance { case notUDP, system }

  init(of number: CInt, _ facts: czc_socket_facts) {
    guard facts.isInternetDatagram else {
      (ofSocket, hindrance, longestPacket) = (0, .notUDP, .max)
      return
    }
    let size = czc_segment_size(number)
    ofSocket = Int(max(0, size))
    hindrance = size < 0 ? .system : nil
    longestPacket = facts.longestPacket(number) ?? .max
  }

  /// Whether the kernel copies a datagram on its way out although it were asked not to: what does not fit a
  /// packet is cut into fragments, and copied (rule 21). Where a send is cut into segments, it is they that have to fit.
  func arePathCopied(byteCount: Int) -> Bool {
    let segment = ofCall > 0 ? Int(ofCall) : ofSocket > 0 ? ofSocket : .max
    return min(byteCount, segment) > longestPacket
  }

  /// Asks the path again what it takes. Where that has become less, `.automatic` sees it by the cost, too.
  mutating func lookAgain(_ number: CInt, _ facts: czc_socket_facts) {
    guard facts.isInternetDatagram else { return }
    longestPacket = facts.longestPacket(number) ?? .max
  }

  /// Why sends cannot be cut into datagrams of so many bytes.
  func refusal(_ size: Int) -> ZeroCopyError? {
    if let why = Self.misfit(size, isUDP: hindrance != .notUDP) { return why }
    return hindrance == nil ? nil : .segmentationUnavailable(nil)
  }

  private static func misfit(_ size: Int, isUDP: Bool, hasSocket: Bool = true) -> ZeroCopyError? {
    let why: String
    if !isUDP {
      why = "segmentSize is for UDP sockets; leave it out"
    } else if !sizes.contains(size) {
      why = "a segment size of \(size) bytes is not in \(sizes.lowerBound)...\(sizes.upperBound)"
    } else {
      return nil
    }
    return ZeroCopyError(.invalidArgument, why, isSocketUsable: hasSocket)
  }

  /// Sets the segment size of a socket that is about to be made: where this throws, there is none.
  static func set(_ size: Int, on number: CInt, _ facts: czc_socket_facts) throws(ZeroCopyError) {
    if let why = misfit(size, isUDP: facts.isInternetDatagram, hasSocket: false) { throw why }
    let result = czc_set_segment_size(number, CInt(size))
    if result < 0 { throw .segmentationUnavailable(Errno(rawValue: -result), hasSocket: false) }
  }
}

extension Connection {
  /// Cuts the sends of the call that begins into datagrams of so many bytes.
  mutating func beginCutting(into size: Int) throws(ZeroCopyError) {
    try checkOpen()
    if let why = segments.refusal(size) { throw why }
    segments.ofCall = UInt16(size)
  }

  /// Begins a call of several datagrams, and cuts each of them where that is asked for.
  mutating func beginDatagrams(_ segmentSize: Int?) throws(ZeroCopyError) {
    try checkOpen()
    guard isDatagram else {
      throw ZeroCopyError(
        .invalidArgument, "several datagrams take a datagram socket; use writev", isSocketUsable: true)
    }
    if let segmentSize { try beginCutting(into: segmentSize) }
  }

  mutating func endCutting() { segments.ofCall = 0 }
}

extension Connection {
  /// The error of a datagram that the kernel has refused: with the limit that it was, as it is now.
  func datagramRefusal(_ errno: Errno, byteCount: Int) -> ZeroCopyError? {
    guard facts.isInternetDatagram else { return nil }
    // Asked now: who has the descriptor may have set it.
    let segment = segments.ofCall > 0 ? Int(segments.ofCall) : Int(max(0, czc_segment_size(number)))
    let longest = facts.longestPacket(number) ?? .max
    func tooLong(_ why: String) -> ZeroCopyError {
      ZeroCopyError(.messageTooLong, why, errno: errno, isSocketUsable: true)
    }
    switch errno {
    case .messageTooLong where byteCount > facts.longestDatagram:
      return tooLong(
        "\(byteCount) bytes are more than a send of a UDP socket may have, \(facts.longestDatagram); send less at a time"
      )
    case .messageTooLong where segment > longest, .invalidArgument where segment > longest:
      return tooLong(
        "segments of \(segment) bytes do not fit a packet of this path, which takes \(longest); take a smaller size"
      )
    case .messageTooLong:
      // The kernel refuses what does not fit a packet only where it was told not to cut it into fragments.
      let packet =
        segment == 0 && byteCount > longest
        ? "\(byteCount) bytes do not fit a packet of this path, which takes \(longest), or " : ""
      return tooLong(
        packet
          + "the memory is more pieces than zero copy takes (17 pages or parts of pages, as a rule); send less"
          + " at a time, or in fewer pieces, or copy it")
    case .invalidArgument where segment > 0:
      let count = (byteCount + segment - 1) / segment
      let most = Int(czc_most_segments())
      // Where it cannot be found out: 64 before 6.9, 128 since.
      if count > (most > 0 ? most : 64) {
        return tooLong(
          "\(count) segments of \(segment) bytes are more than this kernel makes of one send"
            + (most > 0 ? ", \(most)" : "") + "; send less at a time")
      }
      return czc_sends_checksums(number, facts.family) == 0 ? .checksumsAreOff(errno) : nil
    case .ioError where segment > 0: return .segmentationUnavailable(errno)
    default: return nil
    }
  }
}

extension czc_socket_facts {
  private var isInternet: Bool { family == CZC_FAMILY_IPV4 || family == CZC_FAMILY_IPV6 }
  var isInternetDatagram: Bool { type == CZC_DATAGRAM && isInternet }

  /// Of IP and UDP, in bytes.
  private var headers: Int { speaksIPv6 ? 48 : 28 }

  /// Not where the peer of an IPv6 socket is an IPv4 address.
  private var speaksIPv6: Bool { family == CZC_FAMILY_IPV6 && !is_mapped }

  /// The most bytes that a send of a UDP socket may have. IPv6's length counts less of the headers.
  fileprivate var longestDatagram: Int { speaksIPv6 ? 65_527 : 65_507 }

  /// The most bytes of a datagram that go as one packet now, where it can be told.
  fileprivate func longestPacket(_ number: CInt) -> Int? {
    let mtu = Int(czc_path_mtu(number, family))
    return mtu > headers ? mtu - headers : nil
  }
}

extension ZeroCopyError {
  fileprivate static func segmentationUnavailable(_ errno: Errno?, hasSocket: Bool = true) -> ZeroCopyError {
    ZeroCopyError(
      .segmentationUnavailable,
      "a send cannot be cut into datagrams here: that takes Linux 4.18, and before 6.11 a device that computes"
        + " checksums; send each datagram by itself",
      errno: errno, isSocketUsable: hasSocket)
  }

  fileprivate static func checksumsAreOff(_ errno: Errno) -> ZeroCopyError {
    ZeroCopyError(
      .segmentationUnavailable,
      "checksums are off on this socket (SO_NO_CHECK, UDP_NO_CHECK6_TX), and segments need them: switch them on, or send"
        + " each datagram by itself",
      errno: errno, isSocketUsable: true)
  }
}
