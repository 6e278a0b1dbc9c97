/// How much of the sends of a class is measured, and how often.
///
/// A datagram's cost is its own, so that a few sends are enough; not one, because what a send among others of the other
/// way costs is not what it costs among its like. A stream's is spread: packets leave, and are acknowledged, while
/// later sends are under way. There a window is two MiB, and what follows a change between copying
/// and zero copy is left out of it at first.
struct Pace: Sendable {
  /// Sends of a window.
  let window: Int
  /// Sends between a change and the window that measures it.
  let skip: Int
  /// Sends of the way in use after each turn of the other one, while both are tried: the first sends of a connection
  /// shall not cost much more than they must.
  let rest: Int
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
  /// How many windows in a row must be surprising, all in one direction, before both ways are tried anew: of the way in
  /// use, and of the other one.
  let surprises: Int
  let suspicions: Int
  /// Windows of the past that count beside new ones when both ways are tried anew.
  let memory: Int

  init(_ size: SizeClass, isDatagram: Bool) {
    let bytes = size.range.lowerBound
    if isDatagram {
      window = min(max((96 << 10) / bytes, 2), 8)
      skip = window / 2
      // Of the first 64 sends, or 2 MiB, most go the way that is expected to be cheaper.
      rest = bytes < 48 << 10 ? max(64, (2 << 20) / bytes) * 3 / 4 : 8
      settling = 1
      (leastWindows, mostWindows, leastWindowsFarApart) = (4, 10, 2)
      interval = max(128, (4 << 20) / bytes)
      (least, most, lessByChance, worthChanging) = (0.6, 1.6, 1, 0.97)
      (surprises, suspicions, memory) = (3, 2, 0)
      leastProbing = 256 / window
      mostProbing = max(leastProbing, (32 << 20) / bytes / window)
    } else if bytes < 2 << 20 {
      window = max(2, (2 << 20) / bytes)
      skip = window / 2
      // The first sends go the way that is expected to be cheaper, unless they are so long that there are not many.
      (rest, settling) = (0, bytes < 1 << 20 ? max(64, window) : 1)
      (leastWindows, mostWindows, leastWindowsFarApart) = (4, 8, 4)
      interval = 4 * window
      (least, most, lessByChance, worthChanging) = (0.5, 2, 0.8, 0.9)
      (surprises, suspicions, memory) = (4, 2, 2)
      (leastProbing, mostProbing) = (8, (32 << 20) / (window * bytes))
    } else {
      // 64 MiB are few sends of such a size: a look at the other way costs much, and there is no time for many.
      (window, skip, rest, settling) = (1, 1, 0, 1)
      (leastWindows, mostWindows, leastWindowsFarApart) = (3, 5, 3)
      interval = 6
      (least, most, lessByChance, worthChanging) = (0.6, 1.7, 0.8, 0.9)
      (surprises, suspicions, memory) = (3, 1, 0)
      (leastProbing, mostProbing) = (16, 24)
    }
  }

  /// The sends between two looks at the other way, so that looking costs a quarter of a per cent where the bounds allow.
  /// - Parameter gap: What the other way costs beyond the one in use, of that one.
  func probing(gap: Float) -> Int {
    let windows =
      gap.isFinite ? min(max(400 * gap, Float(leastProbing)), Float(mostProbing)) : Float(mostProbing)
    return max(1, Int(windows)) * window
  }
}
