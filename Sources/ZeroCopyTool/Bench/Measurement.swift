/// Carries a plan out: cell after cell, and in each the subjects in turn.
struct Measurement {
  let plan: Plan
  let path: BenchPath
  /// A program in C that does the work of the plain subjects.
  let floor: PlainSender?
  /// What is measured so far.
  private(set) var cells: [Cell] = []
  private var progress: Progress
  private var stepsDone = 0

  init(_ plan: Plan, over path: BenchPath, floor: PlainSender?, isQuiet: Bool) {
    (self.plan, self.path, self.floor) = (plan, path, floor)
    progress = Progress(total: plan.steps, isQuiet: isQuiet)
  }

  mutating func run() throws {
    defer { progress.end() }
    for span in plan.spans {
      for size in plan.sizes { cells.append(try measure(span, size)) }
    }
  }

  private mutating func measure(_ span: Span, _ size: Int) throws -> Cell {
    let name = "\(span.rawValue), \(formatted(size: size))"
    var run = try CellRun(span, size, for: plan.subjects, over: path, floor: floor)
    var first: Cell.FirstSends?
    // Before anything is known about sends of this size.
    let connections = plan.connections(for: size)
    if plan.subjects.contains(.automatic), connections > 0 {
      first = try run.firstSends(connections) {
        progress.update(stepsDone, saying: "\(name), new connection \($0) of \(connections)")
      }
    }
    // Copying comes first, and says how many sends a round takes.
    for subject in plan.subjects {
      try run.connect(subject, window: plan.window)
      step("\(name), warming up")
    }
    for round in 0..<plan.rounds {
      for subject in order(of: round) {
        try run.measure(subject, round: round, window: plan.window)
        step("\(name), round \(round + 1) of \(plan.rounds)")
      }
    }
    return try run.finish(plan.subjects, first)
  }

  /// Each round begins with another one, and who follows whom is left to chance: it must not matter.
  private func order(of round: Int) -> [Subject] {
    let first = plan.subjects[round % plan.subjects.count]
    return [first] + plan.subjects.filter { $0 != first }.shuffled()
  }

  private mutating func step(_ what: String) {
    stepsDone += 1
    progress.update(stepsDone, saying: what)
  }
}
