/// Chooses by size alone: below the range, pinning pages and reading notifications costs more than copying
/// does.
struct SizePolicy: Sendable {
  /// The bytes of a send for which zero copy is chosen.
  private let range: Range<Int>

  /// Measured: streams gain from about 1 MiB and lose at 64 KiB, where acknowledgements come late;
  /// datagrams gain from 32 KiB, hot or cold. In between it depends on the machine.
  ///
  /// - Parameter pathMTU: Of a datagram socket's path. A datagram above it is cut into fragments, which are
  ///   always copied (rule 21).
  init(isDatagram: Bool, pathMTU: Int) {
    // 48 bytes are the headers of UDP over IPv6.
    range = isDatagram ? 32 << 10..<max(32 << 10, pathMTU - 48 + 1) : 256 << 10..<Int.max
  }

  func prefersZeroCopy(byteCount: Int) -> Bool { range.contains(byteCount) }
}
