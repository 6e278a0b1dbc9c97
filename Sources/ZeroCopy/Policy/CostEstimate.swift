/// What a byte has cost lately, by the last sixteen windows of sends.
///
/// The mean without the extremes: what an interrupt or a page fault adds to one of them does not count, and what comes
/// in two kinds (sends that fill the socket's buffer, and sends that meet the peer's acknowledgements) counts in
/// proportion.
package struct CostEstimate: Sendable {
  private static let capacity = SIMD16<Float>.scalarCount

  /// The last windows, the oldest of them at `next`.
  private var recent = SIMD16<Float>()
  private var next = 0
  /// How many windows it knows.
  package private(set) var windows = 0

  /// Nanoseconds a byte; 0 where nothing is known.
  package private(set) var typical: Float = 0
  /// The square of the standard error of `typical`.
  private var squaredError: Float = 0

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

  /// Whether the two differ by more than chance would have it.
  package func isClearly(apartFrom other: CostEstimate) -> Bool {
    let difference = typical - other.typical
    return difference * difference > 4 * (squaredError + other.squaredError)
  }

  private mutating func update() {
    guard windows > 0 else {
      (typical, squaredError) = (0, 0)
      return
    }
    // By insertion, in place: sixteen at most, and nothing is allocated.
    var sorted = recent
    for end in 1..<windows {
      let value = sorted[end]
      var at = end
      while at > 0, sorted[at - 1] > value {
        sorted[at] = sorted[at - 1]
        at -= 1
      }
      sorted[at] = value
    }
    let cut = windows > 3 ? (windows + 4) / 8 : 0
    let count = Float(windows - 2 * cut)
    var sum: Float = 0
    for index in cut..<windows - cut { sum += sorted[index] }
    typical = sum / count
    var squares: Float = 0
    for index in cut..<windows - cut { squares += (sorted[index] - typical) * (sorted[index] - typical) }
    squaredError = windows > 1 ? squares / (count * max(1, count - 1)) : .infinity
  }
}
