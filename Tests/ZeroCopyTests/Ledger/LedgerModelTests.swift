import TestSupport
import Testing
import ZeroCopy

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
      wraps += history.hasWrapped ? 1 : 0
    }
    #expect(wraps > histories / 2, "the histories are there to cross the wrap")
  }
}

/// One random life of a socket's ledger, told to the ledger and to a model at once.
private struct LedgerHistory: ~Copyable {
  private var random: SeededGenerator
  private let base: UInt32

  private var ledger = InFlight<Int>()
  private var ids: WireIDs

  /// The model: what is kept for each send that was ever made, `nil` once released.
  private var kept: [Int?] = []
  private var inFlightCount = 0
  private var oldest = 0
  private var nextKept = 0

  /// How many sends this history likes to have in flight: small and large ones behave differently.
  private let appetite: Int

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    base = UInt32.max &- UInt32.random(in: 0..<3_000, using: &random)
    appetite = Int.random(in: 1...200, using: &random)
    ids = WireIDs(base: base)
  }

  var hasWrapped: Bool { kept.count > Int(UInt32.max - base) }

  /// - Returns: Where ledger and model part, in words.
  mutating func run(events: Int) -> String? {
    for event in 0..<events {
      let draw = Int.random(in: 0..<100, using: &random)
      let problem: String?
      switch draw {
      case 0..<8: problem = takeBack()
      case 8..<11: problem = neverIssued()
      case 11..<16: problem = repeated()
      default:
        let wantsMore = inFlightCount < Int.random(in: 0...2 * appetite, using: &random)
        problem = wantsMore ? reserve() : notify()
      }
      if let problem = problem ?? difference() { return "event \(event): \(problem)" }
    }
    return nil
  }

  private mutating func reserve() -> String? {
    nextKept += 1
    kept.append(nextKept)
    inFlightCount += 1
    let number = ledger.reserve(nextKept)
    return number == UInt64(kept.count - 1) ? nil : "reserved \(number), not \(kept.count - 1)"
  }

  /// The newest call took no id; or it did, and its notification was faster (rule 7).
  private mutating func takeBack() -> String? {
    let expected = oldest < kept.count ? kept[kept.count - 1] : nil
    if expected != nil {
      kept.removeLast()
      inFlightCount -= 1
      advance()
    }
    let answer = ledger.takeBack()
    return answer == expected ? nil : "took back \(answer ?? 0), not \(expected ?? 0)"
  }

  /// Any run of the sends in flight: one, several merged, out of order, over gaps.
  private mutating func notify() -> String? {
    guard oldest < kept.count else { return nil }
    let first = Bool.random(using: &random) ? oldest : Int.random(in: oldest..<kept.count, using: &random)
    let length = Int.random(in: 1...40, using: &random)
    return tell(first, min(first + length, kept.count) - 1)
  }

  /// A run that reaches back, wholly or in part, to sends that were released long ago.
  private mutating func repeated() -> String? {
    guard !kept.isEmpty else { return nil }
    let first = Int.random(in: 0..<kept.count, using: &random)
    return tell(first, min(first + Int.random(in: 0...3, using: &random), kept.count - 1))
  }

  /// A run that ends above the newest send.
  private mutating func neverIssued() -> String? {
    let end = kept.count + Int.random(in: 0..<1 << Int.random(in: 0...30, using: &random), using: &random)
    let first = Bool.random(using: &random) ? end : Int.random(in: oldest...end, using: &random)
    let meaning = meaning(first, end)
    return meaning == .neverIssued ? nil : "\(first)...\(end) were never issued, not \(meaning)"
  }

  private mutating func tell(_ first: Int, _ last: Int) -> String? {
    var expected: [Int] = []
    for number in max(first, oldest)...max(last, oldest) where number <= last {
      if let value = kept[number] { expected.append(value) }
      kept[number] = nil
    }
    let wasReleased = last < oldest
    let meaning = meaning(first, last)
    inFlightCount -= expected.count
    advance()
    guard case .sends(let range) = meaning else {
      return wasReleased && meaning == .alreadyReleased ? nil : "\(first)...\(last) is not \(meaning)"
    }
    var released: [Int] = []
    ledger.release(range) { released.append($0) }
    return released == expected && !wasReleased
      ? nil : "\(first)...\(last) released \(released), not \(expected)"
  }

  private mutating func meaning(_ first: Int, _ last: Int) -> WireIDs.Meaning {
    ids.meaning(
      first: base &+ UInt32(truncatingIfNeeded: first), last: base &+ UInt32(truncatingIfNeeded: last),
      outstanding: ledger.outstanding)
  }

  private mutating func advance() {
    while oldest < kept.count, kept[oldest] == nil { oldest += 1 }
  }

  /// What is held is what the model holds, and the span is no longer than the model's: memory is bounded
  /// by what is in flight.
  private func difference() -> String? {
    if ledger.count != inFlightCount { return "\(ledger.count) in flight, not \(inFlightCount)" }
    let span = UInt64(oldest)..<UInt64(kept.count)
    return ledger.outstanding == span ? nil : "outstanding \(ledger.outstanding), not \(span)"
  }
}
