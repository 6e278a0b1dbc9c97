/// Sends of about the same size, which are judged together: two classes for each power of two.
package struct SizeClass: Sendable, Hashable {
  /// Below a page there is nothing to find out: pinning it costs more than copying it does.
  package static let smallest = 4096
  /// From 4 KiB up to 4 MiB; what is larger costs per byte what 4 MiB cost.
  package static let count = 21

  /// 0 for the smallest.
  package let index: Int

  init(index: Int) { self.index = index }

  /// `nil` below `smallest`.
  package init?(byteCount: Int) {
    guard byteCount >= Self.smallest else { return nil }
    let exponent = Int.bitWidth - 1 - byteCount.leadingZeroBitCount
    let isUpperHalf = byteCount >> (exponent - 1) & 1
    index = min(2 * (exponent - 12) + isUpperHalf, Self.count - 1)
  }

  /// The bytes of its sends.
  package var range: Range<Int> {
    lowerBound..<(index == Self.count - 1 ? Int.max : SizeClass(index: index + 1).lowerBound)
  }

  private var lowerBound: Int { (index % 2 == 0 ? 4096 : 6144) << (index / 2) }
}
