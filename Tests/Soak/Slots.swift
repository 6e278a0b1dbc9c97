import Glibc
import TestSupport
import ZeroCopy

/// A sender's memory: buffers that are scribbled over the moment that their sends are released, so that a
/// release that comes too early shows at the receiver.
struct Slots: ~Copyable {
  static let scribble: UInt8 = 0xDB

  private struct Slot {
    let memory: UnsafeMutableRawBufferPointer
    /// In flight, as far as we have looked.
    var sends: Range<UInt64>?
  }

  private let region: UnsafeMutableRawPointer
  private let regionSize: Int
  private var slots: [Slot]
  /// Whether memory in flight cannot be touched at all.
  private let isProtected: Bool

  init(count: Int, size: Int, isProtected: Bool) {
    regionSize = count * size
    region = mmap(nil, regionSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    precondition(region != MAP_FAILED, "no memory for \(count) buffers of \(size) bytes")
    let region = region
    slots = (0..<count).map {
      Slot(memory: UnsafeMutableRawBufferPointer(start: region + $0 * size, count: size), sends: nil)
    }
    self.isProtected = isProtected
  }

  // What is in flight still is given up, and not reused: the kernel holds its pages (rule 26).
  deinit { munmap(region, regionSize) }

  /// A buffer that nothing reads.
  var free: Int? { slots.firstIndex { $0.sends == nil } }

  /// Up to which send to wait for the buffer that was sent first.
  var oldestEnd: UInt64 { slots.compactMap { $0.sends?.upperBound }.min() ?? 0 }

  func memory(_ index: Int) -> UnsafeMutableRawBufferPointer { slots[index].memory }

  /// Gives a buffer to the kernel.
  mutating func lend(_ index: Int, for sends: Range<UInt64>) {
    slots[index].sends = sends
    if isProtected { protect(index, PROT_NONE) }
  }

  /// Scribbles over every buffer whose sends are released.
  mutating func sweep(_ socket: borrowing ZeroCopySocket) {
    for index in slots.indices {
      guard let sends = slots[index].sends, !socket.hasInFlight(sends) else { continue }
      if isProtected { protect(index, PROT_READ | PROT_WRITE) }
      memset(slots[index].memory.baseAddress!, CInt(Self.scribble), slots[index].memory.count)
      slots[index].sends = nil
    }
  }

  private func protect(_ index: Int, _ protection: CInt) {
    let result = mprotect(slots[index].memory.baseAddress!, slots[index].memory.count, protection)
    precondition(result == 0, "mprotect: \(errno)")
  }
}
