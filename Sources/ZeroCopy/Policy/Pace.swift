/// How much of the sends of a class is measured, and how often.
///
/// A datagram's cost is its own, so that a few sends are enough; not one, because what a send among others of the other
/// way costs is not what it costs among its like. A stream's is spread: packets leave, and are acknowledged, while
/// later sends are under way. There a window is two MiB, and what follows a change between copying
/// and zero copy is left out of it at first.
struct Pace: Sendable {
  /// Sends of a window.
  let window: Int
  /// Of one that looks at the other way: as many, or fewer where that is not there to be measured, but to be seen.
  let look: Int
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

  /// Of what the way in use has cost: what a window may cost more or less and count as the same, and what the rest has
  /// to add up to before both ways are tried anew. See `ChangeWatch`.
  let changeAllowance: Float
  let changeSum: Float
  /// Of what the way in use costs: what a look at the other way must cost less than to be more than chance.
  let lessByChance: Float
  /// Of the way in use: what the other one must cost less than, to be used instead where chance may have had a hand.
  let worthChanging: Float
  /// How many looks at the other way in a row must find it cheaper before both are tried anew.
  let suspicions: Int
  /// Windows of the past, the latest, that count beside new ones when both ways are tried anew.
  let memory: Int

  init(_ size: SizeClass, isDatagram: Bool) {
    let bytes = size.range.lowerBound
    if isDatagram {
      window = min(max((96 << 10) / bytes, 2), 8)
      look = window
      skip = window / 2
      // The first 64 sends, or 2 MiB, go the way that is expected to be cheaper where that is not clear.
      (rest, settling) = (8, bytes < 48 << 10 ? max(64, (2 << 20) / bytes) : 1)
      (leastWindows, mostWindows, leastWindowsFarApart) = (4, 10, 2)
      interval = max(128, (4 << 20) / bytes)
      (changeAllowance, changeSum) = (0.1, 0.9)
      (lessByChance, worthChanging) = (1, 0.97)
      (suspicions, memory) = (2, 0)
      leastProbing = 256 / window
      mostProbing = max(leastProbing, (32 << 20) / bytes / window)
    } else if bytes < 2 << 20 {
      window = max(2, (2 << 20) / bytes)
      look = max(2, window / 2)
      skip = window / 2
      // The first sends go the way that is expected to be cheaper, unless they are so long that there are not many.
      (rest, settling) = (0, bytes < 1 << 20 ? max(64, window) : 1)
      (leastWindows, mostWindows, leastWindowsFarApart) = (4, 8, 4)
      interval = 4 * window
      (changeAllowance, changeSum) = (0.15, 1.5)
      (lessByChance, worthChanging) = (0.8, 0.9)
      (suspicions, memory) = (2, 2)
      (leastProbing, mostProbing) = (8, (32 << 20) / (window * bytes))
    } else {
      // 64 MiB are few sends of such a size: a look at the other way costs much, and there is no time for many.
      (window, look, skip, rest, settling) = (1, 1, 1, 0, 1)
      (leastWindows, mostWindows, leastWindowsFarApart) = (3, 5, 3)
      interval = 6
      (changeAllowance, changeSum) = (0.15, 2)
      (lessByChance, worthChanging) = (0.8, 0.9)
      (suspicions, memory) = (1, 0)
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
