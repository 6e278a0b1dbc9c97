/// Whether the windows of the way in use still cost what they did: adds up by how much each of them is dearer than
/// what they cost at rest, and by how much cheaper, and lets a part of it pass each time (a cumulative sum). What is
/// chance comes to nothing so; a large change shows after three windows, and a small one after some more.
struct ChangeWatch: Sendable {
  enum Finding { case asBefore, perhapsChanged, changed }

  /// Nanoseconds a byte, while nothing has changed.
  private var atRest: Float = 0
  private var dearer: Float = 0
  private var cheaper: Float = 0

  mutating func begin(_ cost: Float) { (atRest, dearer, cheaper) = (cost, 0, 0) }

  /// - Parameter now: What the windows cost by now, this one included.
  mutating func add(_ cost: Float, now: Float, _ pace: Pace) -> Finding {
    guard atRest > 0 else {
      begin(now)
      return .asBefore
    }
    // One window alone, into which an interrupt fell, is no change.
    let most = 0.4 * pace.changeSum
    let excess = cost / atRest - 1
    dearer = max(0, dearer + min(excess - pace.changeAllowance, most))
    cheaper = max(0, cheaper + min(-excess - pace.changeAllowance, most))
    let sum = max(dearer, cheaper)
    if sum >= pace.changeSum { return .changed }
    if sum >= 0.3 * pace.changeSum { return .perhapsChanged }
    // Only a doubt keeps what it was from moving on.
    atRest = now
    return .asBefore
  }
}
