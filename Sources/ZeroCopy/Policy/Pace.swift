/// How much of the sends of a class is measured, and how often.
///
/// A datagram's cost is its own, so that single sends are enough. A stream's is spread: packets leave, and are
/// acknowledged, while later sends are under way. There a window is a MiB, and what follows a change between copying
/// and zero copy is left out of it at first.
struct Pace: Sendable {
  /// Sends of a window.
  let window: Int
  /// Sends between a change and the window that measures it.
  let skip: Int
  /// Before the first window of a connection.
  let settling: Int
  /// Windows of each way before there is a decision, and those after which there is one in any case.
  let leastWindows: Int
  let mostWindows: Int
  /// The least where one way costs more than half as much again.
  let leastWindowsFarApart: Int
  /// Sends between two windows of the way in use.
  let interval: Int
  /// Windows' worth of sends between two of the other way, at least and at most.
  let leastProbing: Int
  let mostProbing: Int

  /// Of what the way in use has cost so far: what it costs outside of these may be a change, and so may a look at the
  /// other way that costs less than `lessByChance` does.
  let least: Float
  let most: Float
  let lessByChance: Float
  /// Of the way in use: what the other one must cost less than, to be used instead where chance may have had a hand.
  let worthChanging: Float

  init(_ size: SizeClass, isDatagram: Bool) {
    let bytes = size.range.lowerBound
    if isDatagram {
      window = min(max((128 << 10) / bytes, 2), 8)
      skip = max(2, window / 2)
      settling = 1
      (leastWindows, mostWindows, leastWindowsFarApart) = (4, 10, 2)
      interval = max(128, (4 << 20) / bytes)
      (least, most, lessByChance, worthChanging) = (0.6, 1.6, 1, 0.97)
      leastProbing = 256 / window
      mostProbing = max(leastProbing, (32 << 20) / bytes / window)
    } else {
      window = max(1, (1 << 20) / bytes)
      skip = window / 2
      settling = window
      leastWindows = bytes < 2 << 20 ? 5 : 3
      mostWindows = bytes < 1 << 20 ? 12 : max(leastWindows, (24 << 20) / bytes / 2)
      leastWindowsFarApart = leastWindows
      interval = 8 * window
      (least, most, lessByChance, worthChanging) = (0.5, 2, 0.8, 0.9)
      leastProbing = 16
      mostProbing = max(leastProbing, (32 << 20) / (window * bytes))
    }
  }

  /// The sends between two looks at the other way, so that looking costs a quarter of a per cent where the bounds allow.
  /// - Parameter gap: What the other way costs beyond the one in use, of that one.
  func probing(gap: Float) -> Int {
    let windows = gap.isFinite ? min(max(400 * gap, Float(leastProbing)), Float(mostProbing)) : Float(mostProbing)
    return max(1, Int(windows)) * window
  }
}
