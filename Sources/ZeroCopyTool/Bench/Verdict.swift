/// What the figures say, in words. Differences below the spread count as equal.
struct Verdict: Encodable {
  /// How automatic mode did with one kind of memory.
  struct Automatic: Encodable {
    var memory: String
    /// Its cost beside the better of copying and zero copy in the same cell.
    var median: Double
    var worst: Double
    /// Where that was.
    var worstAt: String
  }

  /// By how much two equal subjects differ: nine cells of ten lie below. 0.02 is 2 %.
  var spread: Double?
  var automatic: [Automatic] = []
  /// The first sends of new connections beside copying: in the middle, at worst, and where that was.
  var firstSends: Automatic?
  var connections = 0
  var sentences: [String] = []

  init(_ cells: [Cell]) {
    spread = quantile(
      cells.compactMap { $0.ratio(.copyAgain, to: .copy) }.map { abs($0 - 1) }.sorted(), 0.9
    ).map(rounded)
    automatic = [(Subject.Memory.callers, "the caller's memory"), (.hugePool, "a pool on huge pages")]
      .compactMap {
        memory, name in Self.summary(name, cells) { $0.automaticOfBest(memory) }
      }
    firstSends = Self.summary("first sends", cells) { $0.firstSends?.ofCopy }
    connections = cells.compactMap { $0.firstSends?.connections }.min() ?? 0
    sentences = pays(cells) + copiedAfterAll(cells) + inAutomatic()
  }

  private static func summary(_ name: String, _ cells: [Cell], _ ratio: (Cell) -> Double?) -> Automatic? {
    let all = cells.compactMap { cell in ratio(cell).map { (ratio: $0, name: cell.name) } }
    guard let worst = all.max(by: { $0.ratio < $1.ratio }), let middle = median(all.map(\.ratio)) else {
      return nil
    }
    return Automatic(memory: name, median: rounded(middle), worst: rounded(worst.ratio), worstAt: worst.name)
  }

  /// What counts as equal: the spread, and 1 % where that is less.
  private var tolerance: Double { max(spread ?? 0.02, 0.01) }

  // MARK: Whether zero copy pays

  private func pays(_ cells: [Cell]) -> [String] {
    let kinds: [(Subject, Subject, String)] = [
      (.zeroCopy, .copy, "From the caller's memory"), (.pool, .copy, "From a pool on ordinary pages"),
      (.hugePool, .hugePoolCopy, "From a pool on huge pages"),
    ]
    return kinds.compactMap { subject, copy, beginning in
      let measured = cells.filter { $0.ratio(subject, to: copy) != nil }
      guard !measured.isEmpty else { return nil }
      let parts = Span.allCases.reversed().compactMap { span -> String? in
        let row = measured.filter { $0.span == span }.sorted { $0.size < $1.size }
        guard !row.isEmpty else { return nil }
        let places = Self.ranges(row.map { ($0.size, isCheaper($0.ratio(subject, to: copy))) })
        return "\(places.isEmpty ? "nowhere" : places.joined(separator: " and ")) (\(span.rawValue))"
      }
      guard
        let best = measured.min(by: {
          ($0.ratio(subject, to: copy) ?? 9) < ($1.ratio(subject, to: copy) ?? 9)
        }),
        let ratio = best.ratio(subject, to: copy)
      else { return nil }
      let atBest =
        isCheaper(ratio) ? "; at best it costs \(formatted(ratio: ratio)) of copying, at \(best.name)" : ""
      return "\(beginning) zero copy pays \(parts.joined(separator: ", "))\(atBest)."
    }
  }

  private func isCheaper(_ ratio: Double?) -> Bool { (ratio ?? 1) < 1 - tolerance }

  /// The sizes for which something is true, in words: "from 32 KiB on", "at 64 KiB", "from 8 KiB to 64 KiB".
  static func ranges(_ sizes: [(size: Int, isTrue: Bool)]) -> [String] {
    var words: [String] = []
    var begin: Int?
    for (index, entry) in sizes.enumerated() {
      if entry.isTrue, begin == nil { begin = index }
      guard let first = begin, !entry.isTrue || index == sizes.count - 1 else { continue }
      let last = entry.isTrue ? index : index - 1
      if last == sizes.count - 1 {
        words.append(
          first == 0
            ? "at every size"
            : first == last
              ? "at \(formatted(size: sizes[first].size))" : "from \(formatted(size: sizes[first].size)) on")
      } else if first == last {
        words.append("at \(formatted(size: sizes[first].size))")
      } else {
        words.append("from \(formatted(size: sizes[first].size)) to \(formatted(size: sizes[last].size))")
      }
      begin = nil
    }
    return words
  }

  private func copiedAfterAll(_ cells: [Cell]) -> [String] {
    guard let share = median(cells.compactMap { $0.outcome(.zeroCopy)?.copiedShare }) else { return [] }
    if share < 0.05 { return ["The kernel copied next to none of these sends."] }
    return [
      "The kernel reports \(Int((share * 100).rounded())) % of these sends as copied after all; what counts is"
        + " what they cost."
    ]
  }

  // MARK: Automatic mode

  private func inAutomatic() -> [String] {
    automatic.map { summary in
      let whole = "Automatic mode, from \(summary.memory),"
      if summary.worst <= 1 + tolerance {
        return "\(whole) costs what the better of copying and zero copy costs, everywhere"
          + " (worst \(formatted(ratio: summary.worst)) at \(summary.worstAt))."
      }
      if summary.worst <= 1.05 {
        return
          "\(whole) stays within \(Self.percent(summary.worst)) % of the better of copying and zero copy, everywhere"
          + " (worst \(formatted(ratio: summary.worst)) at \(summary.worstAt))."
      }
      if summary.median <= 1 + tolerance {
        return "\(whole) mostly costs what the better of the two costs; it is"
          + " \(Self.percent(summary.worst)) % above at worst (\(summary.worstAt))."
      }
      return
        "\(whole) costs \(Self.percent(summary.median)) % more than the better of the two in the middle, and"
        + " \(Self.percent(summary.worst)) % at worst (\(summary.worstAt))."
    }
  }

  private static func percent(_ ratio: Double) -> Int { Int(((ratio - 1) * 100).rounded()) }
}
