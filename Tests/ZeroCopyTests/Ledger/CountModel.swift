import ZeroCopy

/// The count of unknown ids beside a naive model of it: every event is told to both, and answers where they
/// part, in words. Nobody but the model knows how many ids a send takes. Shared with the fuzzer.
struct CountModel {
  private var ids = CountedIDs()

  /// Ids below this one were reported and counted before the history begins.
  let start: Int
  /// Whether each id from there on has been reported.
  private var reported: [Bool] = []
  /// For each send that is held: the end of its own ids, and what the count said, if there was one.
  private var held: [(end: Int, counted: Int?)] = []

  init(after start: Int) {
    self.start = start
    // No notification names more than half of what 32 bits can tell apart.
    for first in stride(from: 0, to: start, by: 1 << 30) {
      let end = min(first + (1 << 30), start)
      ids.sent()
      ids.report(first: UInt32(truncatingIfNeeded: first), last: UInt32(truncatingIfNeeded: end - 1))
      ids.settle(total: UInt64(end))
      _ = ids.takeReleased()
    }
  }

  /// The id that comes next.
  var next: Int { start + reported.count }

  /// All ids below this one have been reported.
  var contiguous: Int { start + (reported.firstIndex(of: false) ?? reported.count) }

  var isCounted: Bool { held.allSatisfy { $0.counted != nil } }

  mutating func send(taking count: Int) -> String? {
    for _ in 0..<count { reported.append(false) }
    held.append((next, nil))
    ids.sent()
    return release()
  }

  /// A send that was not accepted after all.
  mutating func refusedSend() -> String? {
    ids.sent()
    ids.takeBack()
    return release()
  }

  mutating func settle() -> String? {
    for index in held.indices where held[index].counted == nil { held[index].counted = next }
    return ids.settle(total: UInt64(next)) ? release() : "the true count was refused"
  }

  /// A count that leaves out an id which was reported is a wrong one.
  mutating func miscount(leavingOut distance: Int) -> String? {
    guard let newest = reported.lastIndex(of: true) else { return nil }
    let total = max(0, start + newest - distance)
    return ids.settle(total: UInt64(total)) ? "\(total) was taken for the count" : release()
  }

  /// A notification of ids that were issued.
  mutating func report(_ first: Int, _ last: Int) -> String? {
    guard tell(first, last) else { return "\(first)...\(last) is not trusted" }
    for id in max(first, start)...max(last, start) where id <= last { reported[id - start] = true }
    return release()
  }

  /// A notification that ends above the newest id, or begins before the first, when all are counted.
  mutating func reportNeverIssued(_ first: Int, _ last: Int) -> String? {
    tell(first, last) ? "\(first)...\(last) is trusted" : release()
  }

  /// All ids reported and counted: nothing may be held for ever.
  mutating func finish() -> String? {
    if !reported.isEmpty, let problem = report(start, next - 1) { return problem }
    if let problem = settle() { return problem }
    return ids.held == 0 ? nil : "\(ids.held) sends are never released"
  }

  private mutating func tell(_ first: Int, _ last: Int) -> Bool {
    ids.report(first: UInt32(truncatingIfNeeded: first), last: UInt32(truncatingIfNeeded: last))
  }

  private mutating func release() -> String? {
    var expected = 0
    let contiguous = contiguous
    for send in held {
      guard let counted = send.counted, counted <= contiguous else { break }
      guard send.end <= contiguous else { return "the model itself would release early" }
      expected += 1
    }
    held.removeFirst(expected)
    let answer = ids.takeReleased()
    if answer != expected { return "released \(answer) sends, not \(expected)" }
    if ids.contiguous != contiguous { return "reported up to \(ids.contiguous), not \(contiguous)" }
    return ids.held == held.count ? nil : "\(ids.held) sends are held, not \(held.count)"
  }
}
