import TestSupport
import Testing

@Suite("The count of unknown ids agrees with a naive model over random histories")
struct CountedIDsModelTests {
  private static let eventsEach = 2_000

  @Test("No send is released before all its ids are reported, and each is in the end")
  func randomHistories() {
    for seed in 1...UInt64(TestScale.scaled(100_000 / Self.eventsEach)) {
      var history = CountHistory(seed: seed)
      if let disagreement = history.run(events: Self.eventsEach) ?? history.model.finish() {
        Issue.record("seed \(seed): \(disagreement)")
        return
      }
    }
  }
}

/// One random life of a socket whose sends take some ids each: from the first id on, or across the wrap.
private struct CountHistory {
  private var random: SeededGenerator
  var model: CountModel

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    let isYoung = Bool.random(using: &random)
    model = CountModel(after: isYoung ? 0 : (1 << 32) - Int.random(in: 0..<1_500, using: &random))
  }

  /// - Returns: Where the count and the model part, in words.
  mutating func run(events: Int) -> String? {
    for event in 0..<events {
      let problem: String?
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3: problem = model.send(taking: Int.random(in: 1...5, using: &random))
      case 3: problem = model.refusedSend(isCounted: Bool.random(using: &random))
      case 4: problem = model.settle(over: Int.random(in: 0..<3, using: &random))
      case 5: problem = model.miscount(leavingOut: Int.random(in: 0...50, using: &random))
      default: problem = report()
      }
      if let problem { return "event \(event): \(problem)" }
    }
    return nil
  }

  private mutating func report() -> String? {
    let issued = model.next - model.start
    guard issued > 0 else { return nil }
    // Near the newest id more often than not, and sometimes far back.
    let reach = Bool.random(using: &random) ? min(20, issued) : issued
    let first = model.next - Int.random(in: 1...reach, using: &random)
    return model.report(first, min(first + Int.random(in: 0...8, using: &random), model.next - 1))
  }
}
