/// A thread's processor time at a moment.
package struct ThreadTime: Sendable {
  /// Whose: that of two threads cannot be compared.
  package var thread: UInt
  package var nanoseconds: UInt64

  package init(thread: UInt, nanoseconds: UInt64) {
    (self.thread, self.nanoseconds) = (thread, nanoseconds)
  }
}

/// Chooses between copying and zero copy by what either costs on this socket, for each size of send.
///
/// No threshold is right everywhere, and that the kernel copied after all does not say that it cost more (rule 9). So
/// it measures: the thread's processor time over a window of sends, from the beginning of the first to the beginning
/// of the one behind the last, so that reading the notifications is in it. It tries both ways in turn until they can
/// be told apart, then uses the cheaper one, looks at the other one now and then, and begins anew where what it finds
/// does not fit. Two readings of the clock a window; other sends cost a count.
///
/// A value without a system call: what the clock says it is told.
package struct CostPolicy: Sendable {
  /// Windows are of one class at a time; sends of others go on as they did meanwhile.
  private struct Window {
    let size: SizeClass
    let zeroCopy: Bool
    /// Sends until it begins, and then until it ends.
    var skip: Int
    var left: Int
    var begin: ThreadTime?
    /// Bytes accepted.
    var bytes = 0
    /// Bytes of the sends of other classes since it was opened.
    var otherBytes = 0
    /// Another thing than what was chosen was done.
    var isSpoilt = false
  }

  /// What is known of the next sends, where they are as long as the last one: most are.
  private struct Run {
    var size = SizeClass(index: 0)
    var first = 0
    var sizes: UInt = 0
    /// How many sends there are until a window, but for the one that it begins with.
    var left = 0
    var zeroCopy = false
  }

  private let isDatagram: Bool
  private var classes = ClassPolicies()
  private var window: Window?
  private var run = Run()
  /// Whether the send under way belongs to the window.
  private var counts = false
  /// Whether the kernel says that it copies on this path; `nil` while it has not said.
  private var isCopiedOnPath: Bool?
  /// How many sends in a row have contradicted that.
  private var contradictions = 0
  private let learnt: CostTable?
  /// The class about which something was decided since `takeNews`.
  private var news: SizeClass?

  /// - Parameter learnt: What an earlier socket on the same path has found out.
  package init(isDatagram: Bool, learnt: CostTable? = nil) {
    (self.isDatagram, self.learnt) = (isDatagram, learnt)
  }

  /// What is expected where nothing was measured. Streams were seen to gain from about 1 MiB on, and datagrams from
  /// 48 KiB on, hot or cold; below that it depends, and copying is what nobody can complain of.
  package func isExpectedToGain(byteCount: Int) -> Bool {
    byteCount >= (isDatagram ? 48 << 10 : 1 << 20)
  }

  /// What it would choose but for a look at the other way; for sends that are not to be measured.
  package func usesZeroCopy(byteCount: Int) -> Bool {
    guard let size = SizeClass(byteCount: byteCount) else { return false }
    return classes.has(size) ? classes[size].usesZeroCopy : isExpectedToGain(byteCount: byteCount)
  }

  /// Whether to send without copying. Then `accepted` follows, or `spoil`.
  /// - Parameter now: The clock, read where a window begins or ends.
  @inline(__always)
  package mutating func choosesZeroCopy(byteCount: Int, now: () -> ThreadTime) -> Bool {
    if run.left > 0, UInt(bitPattern: byteCount &- run.first) < run.sizes {
      run.left &-= 1
      return run.zeroCopy
    }
    return choose(byteCount, now)
  }

  @inline(never)
  private mutating func choose(_ byteCount: Int, _ now: () -> ThreadTime) -> Bool {
    counts = false
    guard let size = SizeClass(byteCount: byteCount) else { return false }
    endRun()
    if !classes.has(size) { begin(size) }
    if window == nil {
      classes[size].untilWindow -= 1
      if classes[size].untilWindow > 0 {
        beginRun(size)
        return classes[size].usesZeroCopy
      }
      openWindow(size)
    }
    return chooseInWindow(size, byteCount, now)
  }

  private mutating func beginRun(_ size: SizeClass) {
    let range = size.range
    run = Run(
      size: size, first: range.lowerBound, sizes: UInt(range.count),
      left: classes[size].untilWindow - 1, zeroCopy: classes[size].usesZeroCopy)
    classes[size].untilWindow = 1
  }

  private mutating func endRun() {
    if run.left > 0 { classes[run.size].untilWindow += run.left }
    run.left = 0
  }

  /// So many bytes, or so many more, of the send chosen last were accepted.
  package mutating func accepted(_ byteCount: Int) {
    if counts { window?.bytes += byteCount }
  }

  /// The send chosen last went another way than was chosen.
  package mutating func spoil() {
    if counts { window?.isSpoilt = true }
    counts = false
  }

  /// The next send is not a matter of choice, and is not measured.
  package mutating func passOver() { counts = false }

  /// What the kernel says of sends that are done: a hint that things have changed, and no verdict (rule 9).
  package mutating func completed(_ sends: Int, copied: Bool) {
    guard let before = isCopiedOnPath else {
      isCopiedOnPath = copied
      return
    }
    contradictions = copied == before ? 0 : contradictions + sends
    guard contradictions >= 16 else { return }
    isCopiedOnPath = copied
    contradictions = 0
    endRun()
    classes.changeAll { $0.lookSoon() }
  }

  /// Whether something was decided since `takeNews`.
  package var hasNews: Bool { news != nil }

  /// What was decided last.
  package mutating func takeNews() -> ClassPolicy? { news.take().map { classes[$0] } }

  /// The state of each class that was used.
  package var states: [ClassPolicy] { classes.all }

  private mutating func begin(_ size: SizeClass) {
    classes.add(
      ClassPolicy(
        size, Pace(size, isDatagram: isDatagram),
        expectation: isExpectedToGain(byteCount: size.range.lowerBound), learnt: learnt?[size]))
  }

  @inline(never)
  private mutating func openWindow(_ size: SizeClass) {
    let (zeroCopy, changes, isLook) = classes[size].nextWindow
    let pace = classes[size].pace
    window = Window(
      size: size, zeroCopy: zeroCopy, skip: changes ? pace.skip : 0, left: isLook ? pace.look : pace.window)
  }

  @inline(never)
  private mutating func chooseInWindow(_ size: SizeClass, _ byteCount: Int, _ now: () -> ThreadTime) -> Bool {
    if let open = window, open.begin != nil, open.left == 0 {
      let time = now()
      close(open, time)
      // The next one begins where this one ended.
      if classes[open.size].untilWindow == 0 {
        openWindow(open.size)
        if window?.skip == 0, open.size == size { window?.begin = time }
      }
    }
    guard var open = window, open.size == size else {
      noteOther(byteCount, size)
      return classes[size].usesZeroCopy
    }
    if open.skip > 0 {
      open.skip -= 1
    } else {
      if open.begin == nil { open.begin = now() }
      open.left -= 1
      counts = true
    }
    window = open
    return open.zeroCopy
  }

  /// A send of another class than that of the open window, if there is one.
  private mutating func noteOther(_ byteCount: Int, _ size: SizeClass) {
    guard let open = window else {
      classes[size].untilWindow -= 1
      return
    }
    // What is asked for may be nonsense, and larger than any memory.
    window?.otherBytes += min(byteCount, 1 << 40)
    // Sends so rare say nothing about their cost, and must not keep the others from being measured.
    if open.otherBytes > 16 * classes[open.size].pace.window * open.size.range.lowerBound {
      window = nil
      classes[open.size].windowFailed()
    }
  }

  private mutating func close(_ open: Window, _ time: ThreadTime) {
    window = nil
    guard let begin = open.begin, begin.thread == time.thread, !open.isSpoilt, open.bytes > 0,
      begin.nanoseconds <= time.nanoseconds
    else {
      classes[open.size].windowFailed()
      return
    }
    let cost = Float(time.nanoseconds - begin.nanoseconds) / Float(open.bytes)
    if classes[open.size].add(cost, zeroCopy: open.zeroCopy) { news = open.size }
  }
}
