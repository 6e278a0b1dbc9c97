#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// From a figure to a height.
struct ChartScale {
  let marks: [(value: Double, text: String)]
  private let low: Double
  private let high: Double
  private let isLogarithmic: Bool

  /// For costs, which differ by factors.
  init(logarithmic values: [Double]) {
    let all = [
      0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50,
    ]
    let low = (values.min() ?? 0.1) / 1.1
    let high = max(low * 2, (values.max() ?? 1) * 1.1)
    (self.low, self.high, isLogarithmic) = (low, high, true)
    marks = all.filter { $0 >= low && $0 <= high }.map { ($0, "\($0) s") }
  }

  /// For ratios to copying: 0 to the largest, of which nothing above 3 is shown.
  init(ratios values: [Double]) {
    let high = min(3, max(1.25, (values.max() ?? 1) * 1.05))
    (low, self.high, isLogarithmic) = (0, high, false)
    let step = high > 1.6 ? 0.5 : 0.25
    marks = Array(stride(from: 0, through: high, by: step)).map { ($0, formatted(ratio: $0)) }
  }

  /// 0 is the bottom, 1 the top.
  func place(_ value: Double) -> Double {
    let value = min(max(value, low), high)
    return isLogarithmic ? log2(value / low) / log2(high / low) : (value - low) / (high - low)
  }
}

/// Lines over the size of a send.
struct Plot {
  let cells: [Cell]
  let lines: [ChartLine]
  let scale: ChartScale
  let left: Double
  let top: Double
  let bottom: Double
  let value: (Cell, Subject) -> Double?

  private var begin: Double { left + 62 }
  private var end: Double { left + 430 }

  func elements(_ title: String) -> [String] {
    var parts = [SVG.text(begin, top - 14, title, "class=\"small\"")]
    for mark in scale.marks {
      let y = SVG.number(height(mark.value))
      let kind = mark.text == "1.00" ? "one" : "grid"
      parts.append("<path class=\"\(kind)\" d=\"M\(SVG.number(begin)) \(y)H\(SVG.number(end))\"/>")
      parts.append(
        SVG.text(begin - 8, height(mark.value) + 4, mark.text, "class=\"small\" text-anchor=\"end\""))
    }
    for (index, cell) in cells.enumerated() where cells.count <= 6 || index % 2 == 0 {
      let middle = "class=\"small\" text-anchor=\"middle\""
      parts.append(SVG.text(place(cell.size), bottom + 20, formatted(size: cell.size), middle))
    }
    return parts + lines.map(drawn) + names
  }

  private func drawn(_ line: ChartLine) -> String {
    let points = cells.compactMap { cell in
      value(cell, line.subject).map { "\(SVG.number(place(cell.size))) \(SVG.number(height($0)))" }
    }
    guard let first = points.first else { return "" }
    // A single point is drawn as one.
    let path = points.count == 1 ? "\(first)L\(first)" : points.joined(separator: "L")
    return "<path d=\"M\(path)\" style=\"stroke:\(line.colour);\(line.style)\"/>"
  }

  /// Beside the ends of the lines, moved apart where they would lie upon each other.
  private var names: [String] {
    var names: [(y: Double, line: ChartLine)] = lines.compactMap { line in
      cells.last.flatMap { value($0, line.subject) }.map { (height($0), line) }
    }
    names.sort { $0.y < $1.y }
    let distance = 16.0
    for index in names.indices.dropFirst() {
      names[index].y = max(names[index].y, names[index - 1].y + distance)
    }
    // And back, where that has led below the plot.
    var limit = bottom
    for index in names.indices.reversed() {
      names[index].y = min(names[index].y, limit)
      limit = names[index].y - distance
    }
    return names.map {
      SVG.text(end + 14, $0.y + 4, $0.line.name, "class=\"name\" style=\"fill:\($0.line.colour)\"")
    }
  }

  private func height(_ value: Double) -> Double { bottom - scale.place(value) * (bottom - top) }

  private func place(_ size: Int) -> Double {
    guard let first = cells.first?.size, let last = cells.last?.size, first < last else {
      return (begin + end) / 2
    }
    return begin + log2(Double(size) / Double(first)) / log2(Double(last) / Double(first)) * (end - begin)
  }
}
