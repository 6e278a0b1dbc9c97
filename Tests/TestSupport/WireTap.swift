import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Sees every IPv4 packet that arrives at the other end of the wire, also those that no socket there gets any more,
/// and compares it with the pattern. It listens behind the card that copies, and so changes nothing for the sender.
///
/// A TCP stream is the pattern from its first byte on; a datagram begins with its place in the pattern, in 8 bytes.
public final class WireTap: Sendable {
  public struct Seen: Sendable {
    public var packets = 0
    public var bytes = 0
    /// What was wrong first.
    public var fault: String?
  }

  private let isOver = Atomic(false)
  private let watching: Mutex<Background<Seen>?>

  public init() throws {
    watching = Mutex(nil)
    let made = Mutex<CInt>(-1)
    try Lane.atOtherEnd {
      let number = socket(
        AF_PACKET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), CInt(UInt16(0x800).bigEndian))
      guard number >= 0 else { throw SystemFailure(call: "a packet socket", errno: errno) }
      var size: CInt = 256 << 20
      setsockopt(number, SOL_SOCKET, 33, &size, socklen_t(MemoryLayout<CInt>.size))
      var timeout = timeval(tv_sec: 0, tv_usec: 300_000)
      setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
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
    var seen = Seen()
    /// The sequence number of each stream's first byte, by its two ports: one of them alone may serve several at a time.
    var firstBytes: [UInt32: UInt32] = [:]
    while true {
      let count = recv(number, buffer.baseAddress, buffer.count, 0)
      if count < 0, errno == EAGAIN, isOver.load(ordering: .acquiring) { return seen }
      guard count > 0 else { continue }
      let packet = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      guard count >= 28, packet.number(at: 12, as: UInt32.self) == 0x0A4D_0001 else { continue }
      let header = Int(packet[0] & 15) * 4
      let end = min(count, Int(packet.number(at: 2, as: UInt16.self)))
      let ports = packet.number(at: header, as: UInt32.self)
      var start: Int
      let offset: Int
      if packet[9] == 6 {
        let sequence = packet.number(at: header + 4, as: UInt32.self)
        if packet[header + 13] & 2 != 0 { firstBytes[ports] = sequence &+ 1 }
        guard let first = firstBytes[ports] else { continue }
        start = header + Int(packet[header + 12] >> 4) * 4
        offset = Int(sequence &- first)
      } else if packet[9] == 17, end >= header + 16, packet.number(at: 6, as: UInt16.self) & 0x3FFF == 0 {
        start = header + 16
        offset = Int(truncatingIfNeeded: packet.loadUnaligned(fromByteOffset: header + 8, as: UInt64.self))
      } else {
        continue
      }
      guard start < end else { continue }
      seen.packets += 1
      seen.bytes += end - start
      let payload = UnsafeRawBufferPointer(rebasing: packet[start..<end])
      let isPlace = (0..<1 << 32).contains(offset)
      if seen.fault == nil, let fault = isPlace ? Pattern().firstFault(in: payload, at: offset) : 0 {
        seen.fault =
          "byte \(fault) of \(payload.count) at \(offset) of port \(ports >> 16):"
          + " \(payload[fault...].prefix(16).map { $0 })"
      }
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
