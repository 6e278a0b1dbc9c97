/// What a byte has cost lately, by the last sixteen windows of sends.
///
/// The mean of their middle half: what an interrupt or a page fault adds to one of them does not count, and what
/// comes in two kinds (a send that fills a packet and one that waits for the peer) counts in proportion.
package struct CostEstimate: Sendable {
  private static let capacity = SIMD16<Float>.scalarCount

  /// The last windows, the oldest of them at `next`.
  private var recent = SIMD16<Float>()
  private var next = 0
  /// How many windows it knows.
  package private(set) var windows = 0

  /// Nanoseconds a byte; 0 where nothing is known.
  package private(set) var typical: Float = 0
  /// The bounds of the middle half.
  package private(set) var middle: ClosedRange<Float> = 0...0

  package init() {}

  package mutating func add(_ cost: Float) {
    recent[next] = cost
    next = (next + 1) % Self.capacity
    windows = min(windows + 1, Self.capacity)
    update()
  }

  /// Counts for no more than so many windows from now on, the latest ones.
  package mutating func forget(downTo count: Int) {
    guard windows > count else { return }
    var kept = SIMD16<Float>()
    for index in 0..<count {
      kept[index] = recent[(next - count + index + Self.capacity) % Self.capacity]
    }
    (recent, next, windows) = (kept, count % Self.capacity, count)
    update()
  }

  private mutating func update() {
    guard windows > 0 else {
      (typical, middle) = (0, 0...0)
      return
    }
    // By insertion, in place: sixteen at most, and nothing is allocated.
    var sorted = recent
    for end in 1..<max(windows, 1) {
      let value = sorted[end]
      var at = end
      while at > 0, sorted[at - 1] > value {
        sorted[at] = sorted[at - 1]
        at -= 1
      }
      sorted[at] = value
    }
    let cut = windows / 4
    var sum: Float = 0
    for index in cut..<windows - cut { sum += sorted[index] }
    typical = sum / Float(windows - 2 * cut)
    middle = sorted[cut]...sorted[windows - cut - 1]
  }
}
