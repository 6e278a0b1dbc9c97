import CZeroCopy
import SystemPackage
import ZeroCopy

/// What `doctor ENDPOINT` finds out by sending about 120 MiB to a `zerocopy sink`: whether zero copy really happens on
/// the way there.
struct PathDiagnosis: Encodable {
  var peer: String
  /// Whether the socket can send without copying at all.
  var isAvailable: Bool
  /// Whether the two ends are on one machine.
  var isLocal = false
  /// Bytes of the largest packet; `nil` where there is no such thing.
  var mtu: Int?
  /// Bytes a send.
  var size = 0
  /// Sends without copying, of them confirmed, of these reported as copied after all (an estimate).
  var sends = 0
  var completed = 0
  var copied = 0
  /// Processor time of sending without copying, beside copying.
  var ofCopy: Double?
  /// In words: the limits that sends met where nothing waited.
  var limits: [String] = []
  var verdict = ""

  private static let rounds = 5
  private static let bytesARound = 8 << 20

  init(_ endpoint: Endpoint) throws {
    peer = "\(endpoint)"
    let path = try BenchPath(.endpoint(endpoint))
    var socket = try path.connect()
    isAvailable = socket.availability.isAvailable
    isLocal = Self.host(socket.localAddress) == Self.host(socket.peerAddress)
    mtu = Self.mtu(socket.fileDescriptor.rawValue)
    // A datagram above the MTU is cut into fragments, which are always copied (rule 21); 48 bytes are the headers
    // of UDP over IPv6.
    size = path.isDatagram ? min(65_000, max(512, (mtu ?? 1500) - 48)) : 256 << 10
    guard isAvailable else {
      verdict = "Zero copy is not to be had on the way to \(peer): it is \(socket.availability)."
      try socket.close(timeout: .seconds(5))
      return
    }
    let memory = try BenchMemory(size: size, span: .cold, for: [.copy, .zeroCopy])
    limits = try Self.limits(&socket, memory, isDatagram: path.isDatagram)
    let availability = socket.availability
    try socket.close(timeout: .seconds(60))
    // It was there when the socket was made; the first sends have shown more.
    if case .unavailable(let reason) = availability {
      isAvailable = false
      verdict = "The kernel takes zero-copy sends on the way to \(peer), but they do not work: \(reason)."
      return
    }
    try measure(over: path, memory)
    verdict = findVerdict()
  }

  /// Sends without copying and without waiting, until the socket is full or a limit is met.
  /// - Returns: The limit in words.
  private static func limits(
    _ socket: inout ZeroCopySocket, _ memory: BenchMemory, isDatagram: Bool
  ) throws -> [String] {
    _ = czc_set_nonblocking(socket.fileDescriptor.rawValue, true)
    defer { _ = czc_set_nonblocking(socket.fileDescriptor.rawValue, false) }
    var found: [String] = []
    var sent = 0
    do throws(ZeroCopyError) {
      while sent < bytesARound {
        // The memory outlives the flush below, and nobody writes to it.
        sent += try unsafe socket.writev(memory.pieces.take(), mode: .zeroCopy)
      }
    } catch {
      switch error.code {
      case .wouldBlock: break
      case .lockedMemoryLimit, .notificationMemoryLimit, .inFlightLimit, .datagramDropped, .messageTooLong:
        found.append(error.message)
      default: throw error
      }
    }
    try socket.flush(timeout: .seconds(60))
    return found
  }

  private mutating func measure(over path: BenchPath, _ memory: BenchMemory) throws {
    let count = Self.bytesARound / size
    let copying = try Sender(.copy, over: path, from: memory)
    let zeroCopying = try Sender(.zeroCopy, over: path, from: memory)
    var ratios: [Double] = []
    do {
      for sender in [copying, zeroCopying] {
        _ = try sender.warmUp(Plan.warmUp(size), until: czc_now() + Plan.longestWarmUp)
      }
      for _ in 0..<Self.rounds {
        let copy = try copying.cost(of: count)
        let zeroCopy = try zeroCopying.cost(of: count)
        if copy > 0 { ratios.append(zeroCopy / copy) }
      }
    } catch let error as ZeroCopyError where error.isSocketUsable {
      // A limit that keeps even a single send from passing.
      if !limits.contains(error.message) { limits.append(error.message) }
    }
    ofCopy = median(ratios).map(rounded)
    (sends, completed, copied) = (
      zeroCopying.statistics.zeroCopySends, zeroCopying.statistics.completed, zeroCopying.statistics.copied
    )
    for sender in [copying, zeroCopying] { try sender.end() }
  }

  private func findVerdict() -> String {
    guard completed > 0 else { return "Zero copy does not happen: no send passed. Mind the limit above." }
    let whole = formatted(size: size)
    let cost = ofCopy.map { "; a send of \(whole) costs \(formatted(ratio: $0)) of copying" } ?? ""
    let advice = "'zerocopy bench \(peer)' measures other sizes and kinds of memory."
    if copied == completed {
      return
        "The kernel takes zero-copy sends on this path, and copies every one of them after all, \(whyCopied)\(cost)."
        + " \(advice)"
    }
    let part =
      copied == 0 ? "none of \(completed) sends was copied" : "\(copied) of \(completed) sends were copied"
    let pays = ofCopy.map { $0 < 0.95 ? " It pays there." : " At this size it does not pay." } ?? ""
    return "Zero copy really happens on this path: \(part)\(cost).\(pays) \(advice)"
  }

  private var whyCopied: String {
    isLocal
      ? "because it ends on this machine"
      : "as it does where a packet capture listens, or a device has no scatter-gather (ethtool -k)"
  }

  var text: String {
    var lines = ["path to              \(peer)\(isLocal ? ", on this machine" : "")"]
    if let mtu { lines.append("packets              \(mtu) bytes at most (MTU)") }
    if completed > 0 {
      lines.append(
        "zero-copy sends      \(sends) of \(formatted(size: size)), \(completed) confirmed, of these copied \(copied)"
      )
    }
    if let ofCopy { lines.append("cost                 \(formatted(ratio: ofCopy)) of copying") }
    lines += limits.map { "limit met            \($0)" }
    return (lines + ["", verdict]).joined(separator: "\n")
  }

  /// Whether the question is answered with yes.
  var isZeroCopy: Bool { completed > copied }

  private static func mtu(_ descriptor: CInt) -> Int? {
    var facts = czc_socket_facts()
    // C writes the facts and keeps no pointer.
    guard unsafe czc_inspect(descriptor, &facts) == 0 else { return nil }
    let mtu = czc_path_mtu(descriptor, facts.family)
    return mtu > 0 ? Int(mtu) : nil
  }

  private static func host(_ address: String) -> Substring {
    address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
  }
}
