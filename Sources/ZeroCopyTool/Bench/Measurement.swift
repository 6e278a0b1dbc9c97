import CZeroCopy
import ZeroCopy

/// Carries a plan out: cell after cell, and in each the subjects in turn.
struct Measurement {
  let plan: Plan
  let path: BenchPath
  /// A program in C that does the work of the plain subjects.
  let floor: PlainSender?
  private var progress: Progress
  private var stepsDone = 0

  init(_ plan: Plan, over path: BenchPath, floor: PlainSender?, isQuiet: Bool) {
    (self.plan, self.path, self.floor) = (plan, path, floor)
    progress = Progress(total: plan.steps, isQuiet: isQuiet)
  }

  mutating func run() throws -> [Cell] {
    defer { progress.end() }
    var cells: [Cell] = []
    for span in plan.spans {
      for size in plan.sizes { cells.append(try measure(span, size)) }
    }
    return cells
  }

  private mutating func measure(_ span: Span, _ size: Int) throws -> Cell {
    let memory = try BenchMemory(size: size, span: span, for: plan.subjects)
    let name = "\(span.rawValue), \(formatted(size: size))"
    // Before anything is known about sends of this size.
    let first = try firstSends(memory, size, name)
    var senders: [Sender] = []
    var notes: [Subject: String] = [:]
    var sends = 0
    for subject in plan.subjects {
      if subject.isPlain { continue }
      do {
        let sender = try Sender(subject, over: path, from: memory)
        let cost = try warmUp(sender, size)
        // Copying comes first, and says how many sends a round takes.
        if subject == .copy { sends = max(8, min(1 << 20, Int(plan.window / cost))) }
        sender.beginCounting()
        senders.append(sender)
      } catch let error as ZeroCopyError where error.isSocketUsable && subject != .copy {
        // A limit, for instance: the others can be measured all the same.
        notes[subject] = error.message
      }
      step(name + ", warming up")
    }
    var costs: [Subject: [Double]] = [:]
    for round in 0..<plan.rounds {
      // Each round begins with another one: who follows whom must not matter.
      for turn in plan.subjects.indices {
        let subject = plan.subjects[(round + turn) % plan.subjects.count]
        if let sender = senders.first(where: { $0.subject == subject }) {
          costs[subject, default: []].append(try sender.cost(of: sends) / gibibytes(sends, size))
        } else if subject.isPlain, let floor {
          costs[subject, default: []].append(
            try floor.cost(subject, of: sends, size: size, buffers: BenchMemory.bufferCount(size, span)))
        }
        step("\(name), round \(round + 1) of \(plan.rounds)")
      }
    }
    let outcomes = plan.subjects.map { subject in
      let shares = senders.first { $0.subject == subject }?.shares
      return Cell.Outcome(
        subject, costs: costs[subject] ?? [], zeroCopyShare: shares?.zeroCopy, copiedShare: shares?.copied,
        note: notes[subject])
    }
    for sender in senders { try sender.end() }
    return Cell(
      span: span, size: size, sendsARound: sends, hasHugePages: memory.hugePool?.pool.pages == .huge,
      outcomes: outcomes, firstSends: first)
  }

  /// - Returns: Processor seconds a send, of the second half.
  private func warmUp(_ sender: Sender, _ size: Int) throws -> Double {
    let count = Plan.warmUp(size)
    _ = try sender.cost(of: count)
    return max(1e-9, try sender.cost(of: count) / Double(count))
  }

  /// What automatic mode costs while it does not know the path yet: on new connections, beside copying on
  /// others.
  private mutating func firstSends(_ memory: BenchMemory, _ size: Int, _ name: String) throws -> Cell
    .FirstSends?
  {
    let connections = plan.connections(for: size)
    guard plan.subjects.contains(.automatic), connections > 0 else { return nil }
    let count = Plan.warmUp(size)
    var costs: [Subject: Double] = [:]
    for connection in 0..<connections {
      let order: [Subject] = connection % 2 == 0 ? [.copy, .automatic] : [.automatic, .copy]
      for subject in order {
        let sender = try Sender(subject, over: path, from: memory)
        costs[subject, default: 0] += try sender.cost(of: count)
        try sender.end()
      }
      progress.update(stepsDone, saying: "\(name), new connection \(connection + 1) of \(connections)")
    }
    return Cell.FirstSends(
      connections: connections, sends: count, ofCopy: rounded((costs[.automatic] ?? 0) / (costs[.copy] ?? 1)))
  }

  private mutating func step(_ what: String) {
    stepsDone += 1
    progress.update(stepsDone, saying: what)
  }
}

func gibibytes(_ sends: Int, _ size: Int) -> Double { Double(sends) * Double(size) / Double(1 << 30) }

/// So many places behind the point as the figure is worth.
func rounded(_ value: Double) -> Double { (value * 1e5).rounded() / 1e5 }
