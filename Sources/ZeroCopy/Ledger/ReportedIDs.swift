/// Which ids have been reported: all below one, and ranges above that wait for those before them.
///
/// Notifications may come out of order, and again. Memory is bounded by the ranges that are apart from each other,
/// so by the ids in flight.
package struct ReportedIDs: Sendable {
  /// All ids below this one have been reported. 64 bits wide: it never wraps.
  package private(set) var contiguous: UInt64

  /// Reported ranges above `contiguous`, in order, apart from each other.
  private var beyond: [Range<UInt64>] = []

  /// How many ids are in `beyond`.
  package private(set) var beyondCount = 0

  init(from first: UInt64) { contiguous = first }

  /// Behind the last id that has been reported.
  package var end: UInt64 { beyond.last?.upperBound ?? contiguous }

  package func contains(_ id: UInt64) -> Bool {
    if id < contiguous { return true }
    let index = firstRange(endingAtOrAfter: id + 1)
    return index < beyond.count && beyond[index].contains(id)
  }

  /// - Returns: Whether any of them is new.
  mutating func insert(_ ids: Range<UInt64>) -> Bool {
    guard ids.upperBound > contiguous else { return false }
    let before = contiguous + UInt64(beyondCount)
    if ids.lowerBound <= contiguous, beyond.isEmpty {
      contiguous = ids.upperBound
      return true
    }
    merge(max(ids.lowerBound, contiguous)..<ids.upperBound)
    if let head = beyond.first, head.lowerBound <= contiguous {
      contiguous = head.upperBound
      beyondCount -= head.count
      beyond.removeFirst()
    }
    return contiguous + UInt64(beyondCount) > before
  }

  private mutating func merge(_ ids: Range<UInt64>) {
    var merged = ids
    let start = firstRange(endingAtOrAfter: ids.lowerBound)
    var end = start
    while end < beyond.count, beyond[end].lowerBound <= merged.upperBound {
      merged = min(merged.lowerBound, beyond[end].lowerBound)..<max(merged.upperBound, beyond[end].upperBound)
      beyondCount -= beyond[end].count
      end += 1
    }
    beyond.replaceSubrange(start..<end, with: CollectionOfOne(merged))
    beyondCount += merged.count
  }

  /// The first range whose end is not below an id.
  private func firstRange(endingAtOrAfter id: UInt64) -> Int {
    var (low, high) = (0, beyond.count)
    while low < high {
      let middle = (low + high) / 2
      if beyond[middle].upperBound < id { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
