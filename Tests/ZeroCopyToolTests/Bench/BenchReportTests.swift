import Testing

@testable import ZeroCopyTool

/// What a person gets to see, of figures that are made up.
@Suite("Bench report")
struct BenchReportTests {
  private func report(
    _ target: String = "sink", automatic: Double = 0.1, atLast: Double? = nil, again: Double = 0.2,
    first: Double = 1,
    sizes: [Int] = [4096, 65_536], subjects: [Subject] = Subject.allCases, arrived: Double? = nil
  ) -> BenchReport {
    let costs: [Subject: Double] = [.copy: 0.2, .zeroCopy: 0.1, .automatic: automatic, .copyAgain: again]
    let cells = sizes.map { size in
      var costs = costs
      if let atLast, size == sizes.last { costs[.automatic] = atLast }
      return Cell(
        span: .hot, size: size, outcomes: subjects.map { Cell.Outcome($0, costs: [costs[$0] ?? 0.15]) },
        firstSends: Cell.FirstSends(connections: 100, sends: 64, ofCopy: first))
    }
    return BenchReport(target, target == "sink" ? "UDP" : "TCP", rounds: 9, arrived: arrived, cells: cells)
  }

  private func lines(_ report: BenchReport, with beginning: String) -> [Substring] {
    report.text.split(separator: "\n").filter { $0.hasPrefix(beginning) }
  }

  @Test("Each bar is named with what was measured, and whether it is met")
  func bars() {
    let automatic = "automatic / best, from the caller's memory: median"
    let first = "first sends / copy: median"
    let met = report(automatic: 0.102, first: 1.1)
    #expect(
      lines(met, with: automatic) == ["\(automatic) 1.02, worst 1.02 at 4 KiB hot (bar 1.03, 1.08: met)"])
    #expect(
      lines(met, with: first) == [
        "\(first) 1.10, worst 1.10 at 4 KiB hot, over 100 connections or more each (bar 1.10: met)"
      ])
    let missed = report(automatic: 0.104, first: 1.2)
    #expect(
      lines(missed, with: automatic) == [
        "\(automatic) 1.04, worst 1.04 at 4 KiB hot (bar 1.03, 1.08: MISSED)"
      ])
    #expect(lines(missed, with: first).first?.hasSuffix("(bar 1.10: MISSED)") == true)
    // In the middle it is as it should be.
    let once = report(atLast: 0.109, sizes: [4096, 8192, 16_384])
    #expect(
      lines(once, with: automatic) == [
        "\(automatic) 1.00, worst 1.09 at 16 KiB hot (bar 1.03, 1.08: MISSED)"
      ])
  }

  @Test("Elsewhere than on the sink the spread of two equal subjects is allowed for")
  func spread() {
    let report = report("loopback", automatic: 0.12, again: 0.24)
    #expect(
      lines(report, with: "spread") == [
        "spread: two equal subjects differ by 20.0 % (nine cells of ten by less)"
      ])
    #expect(lines(report, with: "automatic / best").first?.hasSuffix("(bar 1.25, 1.25: met)") == true)
  }

  @Test("Of datagrams it says how many have arrived")
  func arrived() {
    #expect(lines(report(arrived: 0.987), with: "arrived") == ["arrived: 98.7 % of what was sent"])
    #expect(lines(report(), with: "arrived").isEmpty)
  }

  @Test("It says out of how much memory sends come, also where 256 KiB are too few")
  func spans() {
    let few = "hot: out of 256 KiB in turn"
    #expect(lines(report(sizes: [4096, 32_768]), with: "hot") == [few[...]])
    #expect(
      lines(report(sizes: [4096, 65_536]), with: "hot") == [
        "\(few), but one send at least, and 8 buffers of a pool"
      ])
  }

  @Test("The chart has a line a subject, with its name, but for what is only the spread", arguments: [1, 3])
  func chart(_ count: Int) throws {
    let sizes = (0..<count).map { 4096 << $0 }
    func names(_ svg: String) -> [Substring] {
      svg.split(separator: "\n").filter { $0.contains("class=\"name\" style=\"fill:") }
    }
    func drawn(_ svg: String) -> [Substring] {
      svg.split(separator: "\n").filter { $0.hasPrefix("<path d=\"M") && $0.contains("stroke:#") }
    }
    let all = Chart(report(sizes: sizes)).svg
    try expectWellFormed(all)
    // Above the processor time, below the ratio.
    #expect(drawn(all).count == 2 * (Subject.allCases.count - 1))
    #expect(Set(names(all).compactMap { $0.split(separator: ">").last }).count == Subject.allCases.count - 1)
    #expect(all.contains("two equal subjects differ by 0.0 %"))
    let few = Chart(report(sizes: sizes, subjects: [.copy, .hugePoolAutomatic])).svg
    #expect(drawn(few).count == 4 && names(few).count == 4)
    #expect(few.contains(">copy</text>") && few.contains(">automatic, huge pages</text>"))
  }
}
