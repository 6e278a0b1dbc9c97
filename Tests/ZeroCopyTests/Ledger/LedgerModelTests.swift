import TestSupport
import Testing

@Suite("The ledger agrees with a naive model over random histories")
struct LedgerModelTests {
  /// Short histories and many of them, each of which begins just below the wrap of the ids.
  private static let eventsEach = 5_000

  @Test("Every send is released once, by its own id, whatever order the notifications come in")
  func randomHistories() {
    var wraps = 0
    let histories = TestScale.scaled(1_000_000 / Self.eventsEach)
    for seed in 1...UInt64(histories) {
      var history = LedgerHistory(seed: seed)
      if let disagreement = history.run(events: Self.eventsEach) {
        Issue.record("seed \(seed): \(disagreement)")
        return
      }
      wraps += history.model.hasWrapped ? 1 : 0
    }
    #expect(wraps > histories / 2, "the histories are there to cross the wrap")
  }
}

/// One random life of a socket's ledger.
private struct LedgerHistory: ~Copyable {
  private var random: SeededGenerator
  private(set) var model: LedgerModel

  /// How many sends this history likes to have in flight: small and large ones behave differently.
  private let appetite: Int

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    model = LedgerModel(base: UInt32.max &- UInt32.random(in: 0..<3_000, using: &random))
    appetite = Int.random(in: 1...200, using: &random)
  }

  /// - Returns: Where ledger and model part, in words.
  mutating func run(events: Int) -> String? {
    for event in 0..<events {
      let draw = Int.random(in: 0..<100, using: &random)
      let problem: String?
      switch draw {
      case 0..<8: problem = model.takeBack()
      case 8..<11: problem = neverIssued()
      case 11..<16: problem = repeated()
      default:
        let wantsMore = model.inFlightCount < Int.random(in: 0...2 * appetite, using: &random)
        problem = wantsMore ? model.reserve() : notify()
      }
      if let problem { return "event \(event): \(problem)" }
    }
    return model.differenceInDetail() ?? model.finish()
  }

  /// Any run of the sends in flight: one, several merged, out of order, over gaps.
  private mutating func notify() -> String? {
    guard model.oldest < model.sends else { return nil }
    let isOldest = Bool.random(using: &random)
    let first = isOldest ? model.oldest : Int.random(in: model.oldest..<model.sends, using: &random)
    let length = Int.random(in: 1...40, using: &random)
    return model.report(first, min(first + length, model.sends) - 1)
  }

  /// A run that reaches back, wholly or in part, to sends that were released long ago.
  private mutating func repeated() -> String? {
    guard model.sends > 0 else { return nil }
    let first = Int.random(in: 0..<model.sends, using: &random)
    return model.report(first, min(first + Int.random(in: 0...3, using: &random), model.sends - 1))
  }

  /// A run that ends above the newest send.
  private mutating func neverIssued() -> String? {
    let end = model.sends + Int.random(in: 0..<1 << Int.random(in: 0...30, using: &random), using: &random)
    return model.report(
      Bool.random(using: &random) ? end : Int.random(in: model.oldest...end, using: &random), end)
  }
}
