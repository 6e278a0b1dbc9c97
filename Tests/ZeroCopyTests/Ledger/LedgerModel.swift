import ZeroCopy

/// A socket's ledger beside a naive model of it: every event is told to both, and answers where they part, in
/// words. Shared with the fuzzer.
struct LedgerModel: ~Copyable {
  private let base: UInt32

  private var ledger = InFlight<Int>()
  private var ids: WireIDs

  /// What is kept for each send that was ever made, `nil` once released.
  private var kept: [Int?] = []
  private var nextKept = 0

  private(set) var inFlightCount = 0
  /// The oldest send in flight.
  private(set) var oldest = 0

  init(base: UInt32) {
    self.base = base
    ids = WireIDs(base: base)
  }

  /// How many sends there were.
  var sends: Int { kept.count }

  var hasWrapped: Bool { kept.count > Int(UInt32.max - base) }

  mutating func reserve() -> String? {
    nextKept += 1
    kept.append(nextKept)
    inFlightCount += 1
    let number = ledger.reserve(nextKept)
    return number == UInt64(kept.count - 1) ? difference() : "reserved \(number), not \(kept.count - 1)"
  }

  /// The newest call took no id; or it did, and its notification was faster (rule 7).
  mutating func takeBack() -> String? {
    let expected = oldest < kept.count ? kept[kept.count - 1] : nil
    if expected != nil {
      kept.removeLast()
      inFlightCount -= 1
      advance()
    }
    let answer = ledger.takeBack()
    return answer == expected ? difference() : "took back \(answer ?? 0), not \(expected ?? 0)"
  }

  /// A notification for a run of sends: in flight or done, never made, or from before the first.
  mutating func report(_ first: Int, _ last: Int) -> String? {
    let expected: WireIDs.Meaning =
      if first < 0 || last >= kept.count {
        .neverIssued
      } else if last < oldest {
        .alreadyReleased
      } else {
        .sends(UInt64(max(first, oldest))..<UInt64(last + 1))
      }
    let meaning = ids.meaning(
      first: base &+ UInt32(truncatingIfNeeded: first), last: base &+ UInt32(truncatingIfNeeded: last),
      outstanding: ledger.outstanding)
    guard meaning == expected else { return "\(first)...\(last) is \(meaning), not \(expected)" }
    if case .sends(let range) = meaning { return release(first, last, as: range) }
    return difference()
  }

  private mutating func release(_ first: Int, _ last: Int, as range: Range<UInt64>) -> String? {
    var expected: [Int] = []
    for number in max(first, oldest)...last {
      if let value = kept[number] { expected.append(value) }
      kept[number] = nil
    }
    inFlightCount -= expected.count
    advance()
    var released: [Int] = []
    ledger.release(range) { released.append($0) }
    return released == expected ? difference() : "\(first)...\(last) released \(released), not \(expected)"
  }

  /// Everything is reported: nothing may be held for ever.
  mutating func finish() -> String? {
    if oldest < kept.count, let problem = report(oldest, kept.count - 1) { return problem }
    return ledger.count == 0 ? nil : "\(ledger.count) sends are never released"
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

  /// The same, send by send: slow.
  func differenceInDetail() -> String? {
    for number in kept.indices.suffix(from: oldest)
    where ledger.isInFlight(UInt64(number)) != (kept[number] != nil) {
      return "\(number) is\(kept[number] == nil ? " not" : "") in flight"
    }
    let newest = kept.lastIndex { $0 != nil }
    if let newest, !ledger.hasAny(from: UInt64(newest)) { return "nothing in flight from \(newest) on" }
    return ledger.hasAny(from: UInt64((newest ?? -1) + 1))
      ? "something is in flight above \(newest ?? -1)" : nil
  }
}
