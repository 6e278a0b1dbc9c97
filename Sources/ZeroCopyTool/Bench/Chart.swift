/// The figures as a picture, an SVG file: a column a span, a line a subject with its name at its end. Above, the
/// processor time of a GiB over the size of a send; below, the same beside copying. Of `copyAgain` it has no line: that
/// is the spread, which is told in words.
struct Chart {
  let svg: String

  /// From the lowest line to the uppermost.
  static let lines: [ChartLine] = [
    ChartLine(.automatic, "automatic", "#e0609f", "stroke-width:7;stroke-opacity:.6"),
    ChartLine(.hugePoolAutomatic, "automatic, huge pages", "#c77dff", "stroke-width:7;stroke-opacity:.6"),
    ChartLine(.copy, "copy", "#8a8a8a", "stroke-width:2.5"),
    ChartLine(.hugePoolCopy, "copy, huge pages", "#b5a642", "stroke-width:2"),
    ChartLine(.zeroCopy, "zero copy", "#e07a1f", "stroke-width:2.5"),
    ChartLine(.pool, "pool", "#2a8fd6", "stroke-width:2"),
    ChartLine(.hugePool, "pool, huge pages", "#1a9e6b", "stroke-width:2.5"),
    ChartLine(.plainCopy, "C, copy", "#8a8a8a", "stroke-width:1.5;stroke-dasharray:3 4"),
    ChartLine(.plainZeroCopy, "C, huge pages", "#1a9e6b", "stroke-width:1.5;stroke-dasharray:3 4"),
  ]

  private static let columnWidth = 620.0
  private static let height = 760.0

  init(_ report: BenchReport) {
    let spans = Span.allCases.filter { span in report.cells.contains { $0.span == span } }
    let width = Self.columnWidth * Double(max(1, spans.count))
    let lines = Self.lines.filter { line in report.cells.contains { $0.cost(line.subject) != nil } }
    let spread = report.verdict.spread.map { "; two equal subjects differ by \(percent($0))" } ?? ""
    func values(_ value: (Cell, Subject) -> Double?) -> [Double] {
      report.cells.flatMap { cell in lines.compactMap { value(cell, $0.subject) } }
    }
    let costs = ChartScale(logarithmic: values { $0.cost($1) })
    let ratios = ChartScale(ratios: values { $0.ratio($1, to: .copy) })
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(width)) \(Int(Self.height))\""
        + " width=\"\(Int(width))\" height=\"\(Int(Self.height))\" font-family=\"sans-serif\" role=\"img\">",
      "<style>text{fill:#333;font-size:13px}.title{font-size:18px;font-weight:bold}.small{font-size:12px}"
        + ".name{font-weight:bold}.grid{stroke:#8884;stroke-width:1}.one{stroke:#888;stroke-width:1.5}"
        + ".back{fill:#fff}path{fill:none;stroke-linejoin:round;stroke-linecap:round}"
        + "@media(prefers-color-scheme:dark){text{fill:#ddd}.back{fill:#16181c}}</style>",
      "<rect class=\"back\" width=\"100%\" height=\"100%\"/>",
      SVG.text(20, 30, "What it costs to send: \(Self.place(report))", "class=\"title\""),
      SVG.text(
        20, 51, "\(report.machine.text); medians of \(report.rounds) rounds\(spread); lower is better",
        "class=\"small\""),
    ]
    for (index, span) in spans.enumerated() {
      let cells = report.cells.filter { $0.span == span }.sorted { $0.size < $1.size }
      let left = Double(index) * Self.columnWidth
      parts.append(
        SVG.text(
          left + 62, 86, span.description(sizes: cells.map(\.size)), "class=\"name\""))
      let above = Plot(cells: cells, lines: lines, scale: costs, left: left, top: 122, bottom: 400) {
        $0.cost($1)
      }
      let below = Plot(cells: cells, lines: lines, scale: ratios, left: left, top: 462, bottom: 700) {
        $0.ratio($1, to: .copy)
      }
      parts += above.elements("processor seconds of the sender for a GiB")
      parts += below.elements("the same, beside copying: zero copy pays below 1")
      parts.append(SVG.text(left + 246, 743, "size of a send", "class=\"small\" text-anchor=\"middle\""))
    }
    svg = parts.joined(separator: "\n") + "\n</svg>\n"
  }

  private static func place(_ report: BenchReport) -> String {
    switch report.target {
    case "loopback": "TCP over loopback"
    case "sink": "UDP into a device that swallows every packet"
    case "wire": "TCP over a cable to a second network of this machine"
    default: "\(report.transport) to \(report.target)"
    }
  }
}

/// How a subject is drawn.
struct ChartLine {
  let subject: Subject
  let name: String
  let colour: String
  let style: String

  init(_ subject: Subject, _ name: String, _ colour: String, _ style: String) {
    (self.subject, self.name, self.colour, self.style) = (subject, name, colour, style)
  }
}

/// Pieces of an SVG file.
enum SVG {
  static func text(_ x: Double, _ y: Double, _ content: String, _ attributes: String) -> String {
    "<text x=\"\(number(x))\" y=\"\(number(y))\" \(attributes)>\(escaped(content))</text>"
  }

  /// With one place behind the point.
  static func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

  static func escaped(_ text: String) -> String {
    var escaped = ""
    for character in text {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
