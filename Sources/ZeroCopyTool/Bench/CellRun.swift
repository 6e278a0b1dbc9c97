import CZeroCopy
import ZeroCopy

/// A cell under way: the subjects' connections, and what each has cost so far.
struct CellRun {
  /// Then the next connection: how one stream goes depends on how its buffers happened to grow.
  private static let roundsAConnection = 3

  let path: BenchPath
  let floor: PlainSender?
  let size: Int
  let span: Span
  let memory: BenchMemory
  /// How many a round takes, as copying has told.
  private(set) var sends = 0
  private var senders: [Subject: Sender] = [:]
  private var costs: [Subject: [Double]] = [:]
  private var counts: [Subject: Sender.Counts] = [:]
  private var notes: [Subject: String] = [:]

  init(_ span: Span, _ size: Int, for subjects: [Subject], over path: BenchPath, floor: PlainSender?) throws {
    (self.path, self.floor, self.size, self.span) = (path, floor, size, span)
    memory = try BenchMemory(size: size, span: span, for: subjects)
  }

  /// Connects a subject, and lets the connection get to know its path.
  /// - Parameter window: Seconds that a round of copying is to take.
  mutating func connect(_ subject: Subject, window: Double) throws {
    guard !subject.isPlain, notes[subject] == nil else { return }
    try end(subject)
    do {
      let sender = try Sender(subject, over: path, from: memory)
      let (cost, time) = try sender.warmUp(Plan.warmUp(size), until: czc_now() + Plan.longestWarmUp)
      if subject == .copy, sends == 0 { sends = Plan.sends(in: window, cost: cost, time: time) }
      sender.beginCounting()
      senders[subject] = sender
    } catch let error as ZeroCopyError where isLimit(error, subject) {
      notes[subject] = error.message
    }
  }

  mutating func measure(_ subject: Subject, round: Int, window: Double) throws {
    if subject.isPlain, let floor {
      let buffers = BenchMemory.bufferCount(size, span)
      costs[subject, default: []].append(try floor.cost(subject, of: sends, size: size, buffers: buffers))
      return
    }
    // Datagrams have nothing that grows.
    if !path.isDatagram, round > 0, round % Self.roundsAConnection == 0 {
      try connect(subject, window: window)
    }
    guard let sender = senders[subject] else { return }
    let gibibytes = Double(sends) * Double(size) / Double(1 << 30)
    do {
      costs[subject, default: []].append(try sender.cost(of: sends) / gibibytes)
    } catch let error as ZeroCopyError where isLimit(error, subject) {
      notes[subject] = error.message
      try end(subject)
    }
  }

  /// Whether the others can be measured all the same.
  private func isLimit(_ error: ZeroCopyError, _ subject: Subject) -> Bool {
    let limits: [ZeroCopyError.Code] = [
      .lockedMemoryLimit, .notificationMemoryLimit, .inFlightLimit, .datagramDropped, .messageTooLong,
    ]
    return subject != .copy && limits.contains(error.code)
  }

  private mutating func end(_ subject: Subject) throws {
    guard let sender = senders.removeValue(forKey: subject) else { return }
    counts[subject, default: Sender.Counts()].add(sender.counts)
    try sender.end()
  }

  /// Closes the connections.
  mutating func finish(_ subjects: [Subject], _ firstSends: Cell.FirstSends?) throws -> Cell {
    for subject in subjects { try end(subject) }
    let outcomes = subjects.map { subject in
      Cell.Outcome(
        subject, costs: costs[subject] ?? [], zeroCopyShare: counts[subject]?.zeroCopyShare,
        copiedShare: counts[subject]?.copiedShare, note: notes[subject])
    }
    return Cell(
      span: span, size: size, sendsARound: sends,
      hasHugePages: memory.hugePool.map { $0.pool.pages == .huge } ?? true,
      outcomes: outcomes, firstSends: firstSends)
  }

  /// What automatic mode costs while it does not know the path yet: on new connections, beside copying on others.
  /// - Parameter progress: Is called for each.
  func firstSends(_ connections: Int, _ progress: (Int) -> Void) throws -> Cell.FirstSends? {
    let count = Plan.warmUp(size)
    var costs: [Subject: Double] = [:]
    let end = czc_now() + Plan.longestFirstSends
    var connection = 0
    while connection < connections, connection < Plan.fewestConnections || czc_now() < end {
      let order: [Subject] = connection % 2 == 0 ? [.copy, .automatic] : [.automatic, .copy]
      for subject in order {
        let sender = try Sender(subject, over: path, from: memory)
        costs[subject, default: 0] += try sender.cost(of: count)
        try sender.end()
      }
      connection += 1
      progress(connection)
    }
    guard let automatic = costs[.automatic], let copy = costs[.copy], copy > 0 else { return nil }
    return Cell.FirstSends(connections: connection, sends: count, ofCopy: rounded(automatic / copy))
  }
}

/// So many places behind the point as the figure is worth.
func rounded(_ value: Double) -> Double { (value * 1e5).rounded() / 1e5 }
