import ZeroCopy

/// The count of unknown ids beside a naive model of it: every event is told to both, and answers where they
/// part, in words. Nobody but the model knows how many ids a send takes. Shared with the fuzzer.
struct CountModel {
  private var ids: CountedIDs
  private var sends: UInt64 = 0

  /// Ids below this one were reported and counted before the history begins.
  let start: Int
  /// Whether each id from there on has been reported.
  private var reported: [Bool] = []
  /// For each send that is held: the end of its own ids, and what the counts said, if there was one.
  private var held: [(end: Int, counted: Int?)] = []

  /// How many there are by the last count.
  private(set) var issued: Int

  init(after start: Int) {
    self.start = start
    issued = start
    ids = CountedIDs(base: UInt32(start))
  }

  /// The id that comes next.
  var next: Int { start + reported.count }

  /// All ids below this one have been reported.
  var contiguous: Int { start + (reported.firstIndex(of: false) ?? reported.count) }

  var isCounted: Bool { held.allSatisfy { $0.counted != nil } }

  mutating func send(taking count: Int) -> String? {
    for _ in 0..<count { reported.append(false) }
    held.append((next, nil))
    sends += 1
    return release()
  }

  /// A send that was not accepted after all, perhaps counted meanwhile.
  mutating func refusedSend(isCounted: Bool) -> String? {
    guard isCounted else {
      ids.takeBack(next: sends)
      return release()
    }
    if let problem = send(taking: 0) ?? settle() { return problem }
    // Where everything before it is done, so is this one, and its number is used.
    if !held.isEmpty {
      held.removeLast()
      sends -= 1
    }
    ids.takeBack(next: sends)
    return release()
  }

  /// - Parameter over: How many the count is too high, as it may be.
  mutating func settle(over: Int = 0) -> String? {
    let total = next + over
    issued = total
    for index in held.indices { held[index].counted = min(held[index].counted ?? total, total) }
    return ids.settle(total: UInt64(total), next: sends) ? release() : "the count was refused"
  }

  /// A count that leaves out an id which was reported is a wrong one.
  mutating func miscount(leavingOut distance: Int) -> String? {
    guard let newest = reported.lastIndex(of: true) else { return nil }
    let total = max(0, start + newest - distance)
    return ids.settle(total: UInt64(total), next: sends) ? "\(total) was taken for the count" : release()
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
    return held.isEmpty ? nil : "\(held.count) sends are never released"
  }

  private mutating func tell(_ first: Int, _ last: Int) -> Bool {
    ids.report(first: UInt32(truncatingIfNeeded: first), last: UInt32(truncatingIfNeeded: last), next: sends)
  }

  private mutating func release() -> String? {
    var expected = 0
    let contiguous = contiguous
    for send in held {
      guard let counted = send.counted, counted <= contiguous else { break }
      guard send.end <= contiguous else { return "the model itself would release early" }
      expected += 1
    }
    let oldest = sends - UInt64(held.count)
    held.removeFirst(expected)
    let answer = ids.takeDone().map { Int($0) - Int(oldest) } ?? 0
    if max(0, answer) != expected { return "released \(answer) sends, not \(expected)" }
    return ids.contiguous == contiguous ? nil : "reported up to \(ids.contiguous), not \(contiguous)"
  }
}
