/// What one socket does with the sends of one size, and why.
package struct ClassPolicy: Sendable {
  package let size: SizeClass
  let pace: Pace
  package private(set) var usesZeroCopy: Bool
  package private(set) var reason: SendDecision.Reason
  package private(set) var copying = CostEstimate()
  package private(set) var zeroCopy = CostEstimate()
  /// How often it has gone over from one way to the other.
  package private(set) var changes = 0

  /// Sends until the next window.
  var untilWindow: Int
  /// Windows of the way in use until the next one of the other.
  private var untilProbe = 1
  /// What a window of the other way follows at once.
  private var probes = false
  /// Windows measured since trying began.
  private var tried = 0
  /// Whether the way in use still costs what it did.
  private var watch = ChangeWatch()
  /// Looks at the other way in a row that found it cheaper.
  private var suspicions = 0

  init(_ size: SizeClass, _ pace: Pace, expectation: Bool, learnt: CostTable.Finding?) {
    (self.size, self.pace) = (size, pace)
    usesZeroCopy = learnt?.usesZeroCopy ?? expectation
    reason = learnt == nil ? .expected : .learnt
    untilWindow = pace.settling + 1
    guard let learnt else { return }
    copying.add(learnt.copying)
    zeroCopy.add(learnt.zeroCopy)
    watch.begin(used.typical)
    schedule()
  }

  /// The way of the next window, whether it is another one than that of the sends before it, and whether it is but a
  /// look.
  var nextWindow: (zeroCopy: Bool, changes: Bool, isLook: Bool) {
    switch reason {
    case .expected: return (usesZeroCopy, false, false)
    case .trying:
      // There, back, back, there: what is deferred from one window to the next falls on both alike.
      let other = tried % 4 == 1 || tried % 4 == 2
      return (usesZeroCopy != other, tried % 4 == 1 || (tried % 4 == 3 && pace.rest == 0), false)
    case .learnt, .measured, .equal:
      return (usesZeroCopy != probes, probes, probes)
    }
  }

  var finding: CostTable.Finding? {
    guard copying.windows > 0, zeroCopy.windows > 0 else { return nil }
    return CostTable.Finding(usesZeroCopy: usesZeroCopy, copying: copying.typical, zeroCopy: zeroCopy.typical)
  }

  /// Something has changed: looks at both ways with the next sends.
  mutating func lookSoon() {
    guard reason != .expected, reason != .trying else { return }
    untilWindow = min(untilWindow, pace.window)
    untilProbe = 1
  }

  /// A window came to nothing: a limit was met, or another thread went on.
  mutating func windowFailed() {
    probes = false
    untilWindow = pace.interval
  }

  /// - Returns: Whether something was decided.
  mutating func add(_ cost: Float, zeroCopy isZeroCopy: Bool) -> Bool {
    if isZeroCopy { zeroCopy.add(cost) } else { copying.add(cost) }
    switch reason {
    case .expected:
      reason = .trying
      tried = 1
      untilWindow = 0
      return false
    case .trying:
      tried += 1
      untilWindow = tried % 4 == 3 ? pace.rest : 0
      return decide()
    case .learnt, .measured, .equal:
      isZeroCopy == usesZeroCopy ? addUsed(cost) : addProbe(cost)
      return false
    }
  }

  private var used: CostEstimate { usesZeroCopy ? zeroCopy : copying }
  private var other: CostEstimate { usesZeroCopy ? copying : zeroCopy }

  private mutating func decide() -> Bool {
    let isFar = max(used.typical, other.typical) > 1.5 * min(used.typical, other.typical)
    let least = isFar ? pace.leastWindowsFarApart : pace.leastWindows
    guard min(copying.windows, zeroCopy.windows) >= least else { return false }
    let isClear = used.isClearly(apartFrom: other)
    guard isClear || tried >= 2 * pace.mostWindows else { return false }
    // What cannot be told apart stays as it is.
    if other.typical < (isClear ? 0.97 : pace.worthChanging) * used.typical {
      usesZeroCopy.toggle()
      changes += 1
    }
    reason = isClear && used.typical <= other.typical ? .measured : .equal
    watch.begin(used.typical)
    schedule()
    return true
  }

  /// The way in use: looks whether it costs what it did.
  private mutating func addUsed(_ cost: Float) {
    let finding = watch.add(cost, now: used.typical, pace)
    if finding == .changed {
      // What the other way cost before says nothing any more.
      if usesZeroCopy { copying.forget(downTo: 0) } else { zeroCopy.forget(downTo: 0) }
      return tryBoth()
    }
    untilProbe -= 1
    probes = untilProbe <= 0
    // Chance, or a change: the next windows tell.
    untilWindow = probes ? 0 : finding == .perhapsChanged ? pace.window : pace.interval
  }

  /// The other way: looks whether it has become the cheaper one.
  private mutating func addProbe(_ cost: Float) {
    let isCheaperByNow =
      other.windows > pace.leastWindows && other.typical < pace.worthChanging * used.typical
    guard cost < pace.lessByChance * used.typical || isCheaperByNow else {
      suspicions = 0
      return schedule()
    }
    suspicions += 1
    if suspicions >= pace.suspicions { return tryBoth() }
    (probes, untilProbe, untilWindow) = (false, 1, pace.window)
  }

  private mutating func tryBoth() {
    reason = .trying
    (tried, probes, suspicions) = (0, false, 0)
    copying.forget(downTo: pace.memory)
    zeroCopy.forget(downTo: pace.memory)
    untilWindow = 0
  }

  /// When to look again: the dearer the other way is, the more rarely.
  private mutating func schedule() {
    (probes, suspicions) = (false, 0)
    let gap = used.typical > 0 ? max(0, other.typical / used.typical - 1) : .infinity
    untilProbe = max(1, pace.probing(gap: gap) / pace.interval)
    untilWindow = pace.interval
  }
}
