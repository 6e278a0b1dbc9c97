import CTestSupport
import CZeroCopy
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Sees every packet that arrives at the other end of the wire, also those that no socket there gets any more, and
/// compares it with the pattern. It listens behind the card that copies, and so changes nothing for the sender.
///
/// A TCP stream is the pattern from its first byte on; a datagram begins with its place in the pattern, in 8 bytes.
public final class WireTap: Sendable {
  public struct Seen: Sendable {
    public var packets = 0
    /// Of the pattern, by the version of IP.
    public var ipv4Bytes = 0
    public var ipv6Bytes = 0
    /// What was wrong first, or why it has not seen everything.
    public var fault: String?

    public var bytes: Int { ipv4Bytes + ipv6Bytes }
  }

  /// For how long nothing must come: packets that were held back came up to 0.75 s late (rule 25).
  private static let silence: UInt64 = (Lane.isLate ? 2 : 1) * 1_000_000_000
  /// And how long it waits for that.
  private static let patience: UInt64 = 120 * 1_000_000_000

  private let isOver = Atomic(false)
  private let watching: Mutex<Background<Seen>?>

  public init() throws {
    watching = Mutex(nil)
    let made = Mutex<CInt>(-1)
    try Lane.atOtherEnd {
      let number = cts_open_tap(256 << 20, 100)
      guard number >= 0 else { throw SystemFailure(call: "a tap of the wire", errno: -number) }
      made.withLock { $0 = number }
    }
    let number = made.withLock { $0 }
    watching.withLock { $0 = Background { [self] in watch(number) } }
  }

  /// Goes on until nothing more comes.
  public func end() throws -> Seen {
    isOver.store(true, ordering: .releasing)
    return try watching.withLock { try $0!.value() }
  }

  private func watch(_ number: CInt) -> Seen {
    defer { close(number) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    defer { buffer.deallocate() }
    var streams = TappedStreams()
    var over: UInt64?
    var last: UInt64 = 0
    while true {
      let count = recv(number, buffer.baseAddress, buffer.count, 0)
      let now = czc_now()
      if count > 0 {
        last = now
        streams.note(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
      guard isOver.load(ordering: .acquiring) else { continue }
      // What was sent before may still be on its way, however long nothing came.
      guard let over else {
        over = now
        last = now
        continue
      }
      let isQuiet = now - last >= Self.silence
      guard isQuiet || now - over >= Self.patience else { continue }
      var seen = streams.seen
      let missed = cts_tap_missed(number)
      if missed != 0 { seen.fault = seen.fault ?? "the tap has missed packets: \(missed)" }
      if !isQuiet { seen.fault = seen.fault ?? "packets go on coming" }
      return seen
    }
  }
}

/// What the packets of one direction hold.
private struct TappedStreams {
  var seen = WireTap.Seen()
  /// The sequence number of each stream's first byte, by the version of IP and its two ports: one of them alone may
  /// serve several at a time.
  private var firstBytes: [UInt64: UInt32] = [:]

  /// What IP carries.
  private struct Content {
    let version: UInt8
    let kind: UInt8
    let bytes: UnsafeRawBufferPointer
  }

  /// - Returns: `nil` for what is neither version of IP, comes from somewhere else, or is a fragment.
  private func content(of packet: UnsafeRawBufferPointer) -> Content? {
    guard packet.count >= 20 else { return nil }
    if packet[0] >> 4 == 4 {
      let header = Int(packet[0] & 15) * 4
      let end = min(packet.count, Int(packet.number(at: 2, as: UInt16.self)))
      guard packet.number(at: 12, as: UInt32.self) == 0x0A4D_0001, header < end,
        packet.number(at: 6, as: UInt16.self) & 0x3FFF == 0
      else { return nil }
      return Content(
        version: 4, kind: packet[9], bytes: UnsafeRawBufferPointer(rebasing: packet[header..<end]))
    }
    // fd77::1, and no header between; packets that were joined beyond 64 KiB say no length.
    guard packet[0] >> 4 == 6, packet.count >= 40, packet.number(at: 8, as: UInt64.self) == 0xFD77 << 48,
      packet.number(at: 16, as: UInt64.self) == 1
    else { return nil }
    let length = Int(packet.number(at: 4, as: UInt16.self))
    let end = length == 0 ? packet.count : min(packet.count, 40 + length)
    return Content(version: 6, kind: packet[6], bytes: UnsafeRawBufferPointer(rebasing: packet[40..<end]))
  }

  mutating func note(_ packet: UnsafeRawBufferPointer) {
    guard let content = content(of: packet) else { return }
    let bytes = content.bytes
    let start: Int
    let offset: Int
    if content.kind == 6, bytes.count >= 20 {
      let stream = UInt64(content.version) << 32 | UInt64(bytes.number(at: 0, as: UInt32.self))
      let sequence = bytes.number(at: 4, as: UInt32.self)
      if bytes[13] & 2 != 0 { firstBytes[stream] = sequence &+ 1 }
      guard let first = firstBytes[stream] else { return }
      start = Int(bytes[12] >> 4) * 4
      offset = Int(sequence &- first)
    } else if content.kind == 17, bytes.count >= 16 {
      start = 16
      offset = Int(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    } else {
      return
    }
    guard start < bytes.count else { return }
    let payload = UnsafeRawBufferPointer(rebasing: bytes[start...])
    seen.packets += 1
    if content.version == 4 { seen.ipv4Bytes += payload.count } else { seen.ipv6Bytes += payload.count }
    let isPlace = (0..<1 << 32).contains(offset)
    if seen.fault == nil, let fault = isPlace ? Pattern().firstFault(in: payload, at: offset) : 0 {
      seen.fault =
        "byte \(fault) of \(payload.count) at \(offset) of port \(bytes.number(at: 0, as: UInt16.self)), IPv\(content.version):"
        + " \(payload[fault...].prefix(16).map { $0 })"
    }
  }
}

extension UnsafeRawBufferPointer {
  /// In the network's byte order.
  fileprivate func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as: Number.Type)
    -> Number
  {
    loadUnaligned(fromByteOffset: offset, as: Number.self).bigEndian
  }
}
