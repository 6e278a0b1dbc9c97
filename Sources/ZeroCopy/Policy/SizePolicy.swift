/// Chooses by size alone: below the threshold, pinning pages and reading notifications costs more than
/// copying does.
struct SizePolicy: Sendable {
  /// The least bytes of a send for which zero copy is chosen.
  let threshold: Int

  /// Measured: streams gain from about 1 MiB and lose at 64 KiB, where acknowledgements come late;
  /// datagrams gain from 32 KiB, hot or cold. In between it depends on the machine.
  init(isDatagram: Bool) {
    threshold = isDatagram ? 32 << 10 : 256 << 10
  }

  func prefersZeroCopy(byteCount: Int) -> Bool { byteCount >= threshold }
}
