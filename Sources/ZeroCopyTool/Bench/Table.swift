import ZeroCopy

/// The figures as text: a table a span.
struct Table {
  let text: String

  init(_ report: BenchReport) {
    var lines = [
      "\(report.target), \(report.transport): processor time of sending; medians of \(report.rounds) rounds",
      report.machine.text,
    ]
    for span in Span.allCases {
      let cells = report.cells.filter { $0.span == span }
      guard !cells.isEmpty else { continue }
      lines += ["", span.description(sizes: cells.map(\.size))] + Self.rows(cells)
    }
    let notes = Set(
      report.cells.flatMap { cell in
        cell.outcomes.compactMap { outcome in outcome.note.map { "- \(outcome.subject): \($0)" } }
      })
    if report.cells.contains(where: { !$0.hasHugePages }) {
      lines += ["", "There are no huge pages here: the huge pool lies on ordinary ones."]
    }
    text = (lines + [""] + notes.sorted() + (notes.isEmpty ? [] : [""])).joined(separator: "\n")
  }

  /// Copying as it is, everything else beside it.
  private static func rows(_ cells: [Cell]) -> [String] {
    let present = Subject.allCases.filter { subject in cells.contains { $0.outcome(subject) != nil } }
    var rows: [[String]] = [["size", "copy s/GiB"]]
    rows[0] += present.dropFirst().flatMap {
      $0.mode == .automatic ? [$0.title, "/best", "(0-copy)"] : [$0.title]
    }
    if cells.contains(where: { $0.firstSends != nil }) { rows[0].append("first sends") }
    for cell in cells {
      var row = [formatted(size: cell.size), cell.cost(.copy).map { decimal($0) } ?? "-"]
      for subject in present.dropFirst() {
        row.append(cell.ratio(subject, to: .copy).map(formatted(ratio:)) ?? "-")
        if subject.mode == .automatic {
          row.append(cell.outcome(subject)?.ofBest.map(formatted(ratio:)) ?? "-")
          row.append(cell.outcome(subject)?.zeroCopyShare.map { "\(Int(($0 * 100).rounded())) %" } ?? "-")
        }
      }
      if let first = cell.firstSends { row.append(formatted(ratio: first.ofCopy)) }
      rows.append(row)
    }
    let widths = rows[0].indices.map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      zip(row, widths).map { cell, width in String(repeating: " ", count: width - cell.count) + cell }
        .joined(separator: "  ")
    }
  }

  /// Four places behind the point.
  private static func decimal(_ value: Double) -> String {
    let scaled = Int((value * 10_000).rounded())
    let fraction = "\(scaled % 10_000)"
    return "\(scaled / 10_000)." + String(repeating: "0", count: 4 - fraction.count) + fraction
  }
}
