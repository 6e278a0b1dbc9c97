import TestSupport
import Testing
import ZeroCopy

@Suite("The count of unknown ids agrees with a naive model over random histories")
struct CountedIDsModelTests {
  private static let eventsEach = 2_000

  @Test("No send is released before all its ids are reported, and each is in the end")
  func randomHistories() {
    for seed in 1...UInt64(TestScale.scaled(100_000 / Self.eventsEach)) {
      var history = CountHistory(seed: seed)
      if let disagreement = history.run(events: Self.eventsEach) ?? history.finish() {
        Issue.record("seed \(seed): \(disagreement)")
        return
      }
    }
  }
}

/// One random life of a socket whose sends take some ids each, nobody but the model knows how many.
private struct CountHistory {
  private var random: SeededGenerator
  private var ids = CountedIDs()

  /// The model: whether each id that was ever issued has been reported.
  private var reported: [Bool] = []
  /// For each send that is held: the end of its own ids, and what the count said, if there was one.
  private var held: [(end: Int, counted: Int?)] = []

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// - Returns: Where the count and the model part, in words.
  mutating func run(events: Int) -> String? {
    for event in 0..<events {
      let problem: String?
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3: problem = send()
      case 3: problem = takeBack()
      case 4: problem = settle()
      case 5: problem = miscount()
      default: problem = report()
      }
      if let problem = problem ?? release() { return "event \(event): \(problem)" }
    }
    return nil
  }

  /// All ids reported and counted: nothing may be held for ever.
  mutating func finish() -> String? {
    if !reported.isEmpty { tell(0, reported.count - 1) }
    if let problem = settle() ?? release() { return problem }
    return ids.held == 0 ? nil : "\(ids.held) sends are never released"
  }

  private mutating func send() -> String? {
    for _ in 0..<Int.random(in: 1...5, using: &random) { reported.append(false) }
    held.append((reported.count, nil))
    ids.sent()
    return nil
  }

  private mutating func takeBack() -> String? {
    ids.sent()
    ids.takeBack()
    return nil
  }

  private mutating func settle() -> String? {
    for index in held.indices where held[index].counted == nil { held[index].counted = reported.count }
    return ids.settle(total: UInt64(reported.count)) ? nil : "the true count was refused"
  }

  /// A count that leaves out an id which was reported is a wrong one.
  private mutating func miscount() -> String? {
    guard let newest = reported.lastIndex(of: true) else { return nil }
    let total = Int.random(in: 0...newest, using: &random)
    return ids.settle(total: UInt64(total)) ? "\(total) was taken for the count" : nil
  }

  private mutating func report() -> String? {
    guard !reported.isEmpty else { return nil }
    // Near the newest id more often than not, and sometimes far back.
    let reach = Bool.random(using: &random) ? min(20, reported.count) : reported.count
    let first = reported.count - Int.random(in: 1...reach, using: &random)
    tell(first, min(first + Int.random(in: 0...8, using: &random), reported.count - 1))
    return nil
  }

  private mutating func tell(_ first: Int, _ last: Int) {
    for id in first...last { reported[id] = true }
    ids.report(first: UInt32(first), last: UInt32(last))
  }

  private mutating func release() -> String? {
    let contiguous = reported.firstIndex(of: false) ?? reported.count
    var expected = 0
    for send in held {
      guard let counted = send.counted, counted <= contiguous else { break }
      guard send.end <= contiguous else { return "the model itself would release early" }
      expected += 1
    }
    held.removeFirst(expected)
    let answer = ids.takeReleased()
    if answer != expected { return "released \(answer) sends, not \(expected)" }
    return ids.held == held.count ? nil : "\(ids.held) sends are held, not \(held.count)"
  }
}
