import Testing

@testable import ZeroCopyTool

/// The verdict over figures that are made up.
@Suite("Verdict")
struct VerdictTests {
  private func cell(_ size: Int, _ costs: [Subject: Double], span: Span = .cold, first: Double? = nil)
    -> Cell
  {
    Cell(
      span: span, size: size,
      outcomes: Subject.allCases.compactMap { subject in
        costs[subject].map { Cell.Outcome(subject, costs: [$0]) }
      },
      firstSends: first.map { Cell.FirstSends(connections: 100, sends: 64, ofCopy: $0) })
  }

  /// Zero copy beside copying, at sizes from 4 KiB on.
  private func cells(_ ratios: [Double], span: Span = .cold, again: Double = 1.02) -> [Cell] {
    ratios.enumerated().map { index, ratio in
      cell(4096 << index, [.copy: 0.2, .zeroCopy: 0.2 * ratio, .copyAgain: 0.2 * again], span: span)
    }
  }

  @Test("It pays from the first size on from which it goes on paying")
  func paysFrom() {
    let verdict = Verdict(cells([1.2, 1.0, 0.7, 0.5]))
    #expect(
      verdict.sentences.first
        == "From the caller's memory zero copy pays from 16 KiB on (cold); at best it costs 0.50 of copying, at"
        + " 32 KiB cold.")
  }

  @Test("A difference below the spread is none")
  func spread() {
    #expect(
      Verdict(cells([0.99, 0.985])).sentences[0] == "From the caller's memory zero copy pays nowhere (cold).")
    #expect(Verdict(cells([0.9, 0.9], again: 0.85)).spread == 0.15)
    #expect(Verdict(cells([0.9, 0.9], again: 0.85)).sentences[0].contains("nowhere"))
  }

  @Test("The sizes where it pays are told as ranges, whichever they are")
  func ranges() {
    func words(_ isTrue: [Bool]) -> [String] {
      Verdict.ranges(isTrue.enumerated().map { (4096 << $0.offset, $0.element) })
    }
    #expect(words([]) == [])
    #expect(words([false, false]) == [])
    #expect(words([true, true]) == ["at every size"])
    #expect(words([false, true, true]) == ["from 8 KiB on"])
    #expect(words([false, false, true]) == ["at 16 KiB"])
    #expect(words([true, false, false]) == ["at 4 KiB"])
    #expect(words([true, true, false, true]) == ["from 4 KiB to 8 KiB", "at 32 KiB"])
  }

  @Test("Both spans are told, the cold one first")
  func spans() {
    let verdict = Verdict(cells([1.1, 1.1], span: .hot) + cells([0.9, 0.5]))
    #expect(verdict.sentences[0].contains("pays at every size (cold), nowhere (hot)"))
  }

  @Test("Automatic mode is judged by the better of the two in each cell, from the same memory")
  func automatic() {
    let verdict = Verdict([
      cell(4096, [.copy: 0.2, .zeroCopy: 0.3, .automatic: 0.2, .copyAgain: 0.2]),
      cell(8192, [.copy: 0.2, .zeroCopy: 0.1, .automatic: 0.11, .copyAgain: 0.2]),
      cell(
        8192, [.hugePoolCopy: 0.4, .hugePool: 0.1, .hugePoolAutomatic: 0.4, .copy: 0.1, .copyAgain: 0.1],
        span: .hot),
    ])
    #expect(verdict.automatic.map(\.memory) == ["the caller's memory", "a pool on huge pages"])
    #expect(verdict.automatic.map(\.worst) == [1.1, 4])
    #expect(verdict.automatic.map(\.worstAt) == ["8 KiB cold", "8 KiB hot"])
    #expect(verdict.automatic[0].median == 1.05)
    #expect(verdict.sentences.last?.contains("300 % at worst (8 KiB hot)") == true)
  }

  @Test("Automatic mode that is as good as the better of the two everywhere is told so")
  func automaticIsRight() {
    let verdict = Verdict([cell(4096, [.copy: 0.2, .zeroCopy: 0.1, .automatic: 0.101, .copyAgain: 0.204])])
    #expect(
      verdict.sentences.last
        == "Automatic mode, from the caller's memory, costs what the better of copying and zero copy costs,"
        + " everywhere (worst 1.01 at 4 KiB cold).")
  }

  @Test("Automatic mode that is a little above the better of the two is told so, too")
  func automaticIsNear() {
    let verdict = Verdict([cell(4096, [.copy: 0.2, .zeroCopy: 0.1, .automatic: 0.103, .copyAgain: 0.2])])
    #expect(
      verdict.sentences.last
        == "Automatic mode, from the caller's memory, stays within 3 % of the better of copying and zero copy,"
        + " everywhere (worst 1.03 at 4 KiB cold).")
  }

  @Test("Automatic mode is not judged where zero copy was not measured beside it")
  func automaticAlone() {
    let alone = cell(4096, [.copy: 0.2, .automatic: 0.2, .hugePoolCopy: 0.2, .hugePoolAutomatic: 0.2])
    #expect(alone.automaticOfBest(.callers) == nil && alone.automaticOfBest(.hugePool) == nil)
    #expect(Verdict([alone]).sentences.isEmpty)
    // Where a limit kept it from being measured, copying is what there is.
    let limited = Cell(
      span: .cold, size: 4096,
      outcomes: [
        Cell.Outcome(.copy, costs: [0.2]), Cell.Outcome(.zeroCopy, costs: [], note: "a limit"),
        Cell.Outcome(.automatic, costs: [0.25]),
      ])
    #expect(limited.automaticOfBest(.callers) == 1.25)
  }

  @Test("The first sends of connections are summed up beside it")
  func firstSends() {
    let verdict = Verdict([
      cell(4096, [.copy: 1], first: 1.04), cell(8192, [.copy: 1], first: 1.2),
      cell(16384, [.copy: 1], first: 0.9),
    ])
    #expect(verdict.firstSends?.median == 1.04)
    #expect(verdict.firstSends?.worst == 1.2)
    #expect(verdict.firstSends?.worstAt == "8 KiB cold")
    #expect(verdict.connections == 100)
  }

  @Test("Of nothing it says nothing")
  func nothing() {
    let verdict = Verdict([])
    #expect(verdict.sentences.isEmpty && verdict.automatic.isEmpty && verdict.spread == nil)
    #expect(Verdict([cell(4096, [.copy: 0.1])]).sentences.isEmpty)
  }

  @Test("A clock that is too coarse to see any cost makes no ratio")
  func coarseClock() throws {
    let cell = cell(4096, [.copy: 0, .zeroCopy: 0.1, .automatic: 0.1, .copyAgain: 0])
    #expect(cell.ratio(.zeroCopy, to: .copy) == nil && cell.automaticOfBest(.callers) == nil)
    #expect(Verdict([cell]).sentences.isEmpty)
    // JSON has no infinity.
    #expect(try !encoded(cell).isEmpty)
  }

  @Test("Quantiles lie between the values around them")
  func quantiles() {
    #expect(quantile([], 0.5) == nil)
    #expect(quantile([3], 0.9) == 3)
    #expect(median([4, 1, 3]) == 3)
    #expect(median([1, 2]) == 1.5)
    #expect(quantile([0, 1, 2, 3, 4], 0.25) == 1)
  }

  @Test("Text that XML would misread is escaped")
  func escaped() {
    #expect(SVG.escaped("a<b & \"c\">") == "a&lt;b &amp; &quot;c&quot;&gt;")
  }
}
