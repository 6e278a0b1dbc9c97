import CZeroCopy
import SystemPackage

/// A whole run of the bench.
struct BenchReport: Encodable {
  /// Where it ran.
  struct Machine: Encodable {
    var processor: String
    var processors: Int
    var kernel: String
  }

  var target: String
  /// UDP, TCP, …
  var transport: String
  var machine = Machine.here
  var rounds: Int
  /// Of what was sent, the part that the receiver has received; `nil` where nobody counts.
  var arrived: Double?
  var cells: [Cell]
  var verdict: Verdict

  init(_ path: BenchPath, rounds: Int, cells: [Cell]) {
    let arrived = path.sent > 0 ? rounded(min(1, Double(path.arrived) / Double(path.sent))) : nil
    self.init(
      path.target.name, Self.transport("\(path.endpoint)"), rounds: rounds, arrived: arrived, cells: cells)
  }

  init(_ target: String, _ transport: String, rounds: Int, arrived: Double?, cells: [Cell]) {
    (self.target, self.transport, self.rounds, self.arrived) = (target, transport, rounds, arrived)
    self.cells = cells
    verdict = Verdict(cells)
  }

  private static func transport(_ endpoint: String) -> String {
    if endpoint.hasPrefix("udp:") { return "UDP" }
    if endpoint.hasPrefix("unix:") { return "UNIX" }
    return endpoint.hasPrefix("vsock:") ? "vsock" : "TCP"
  }

  var text: String {
    ([Table(self).text] + bars + [""] + verdict.sentences).joined(separator: "\n")
  }

  /// What the project promises for this path, and what was measured.
  private var bars: [String] {
    let allowance = target == "sink" ? nil : verdict.spread
    var lines: [String] = []
    if let spread = verdict.spread {
      lines.append("spread: two equal subjects differ by \(percent(spread)) (nine cells of ten by less)")
    }
    for summary in verdict.automatic {
      // Elsewhere than on the sink equal subjects differ by more.
      let (middle, worst) = allowance.map { (1.05 + $0, 1.05 + $0) } ?? (1.03, 1.08)
      let isMet = summary.median <= middle && summary.worst <= worst
      lines.append(
        "automatic / best, from \(summary.memory): median \(formatted(ratio: summary.median)), worst"
          + " \(formatted(ratio: summary.worst)) at \(summary.worstAt)"
          + " (bar \(formatted(ratio: middle)), \(formatted(ratio: worst)): \(isMet ? "met" : "MISSED"))")
    }
    if let first = verdict.firstSends {
      lines.append(
        "first sends / copy: median \(formatted(ratio: first.median)), worst \(formatted(ratio: first.worst)) at"
          + " \(first.worstAt), over \(verdict.connections) connections or more each"
          + " (bar 1.10: \(first.worst <= 1.10 ? "met" : "MISSED"))")
    }
    if transport == "UDP", let arrived { lines.append("arrived: \(percent(arrived)) of what was sent") }
    return lines
  }
}

/// "2.1 %".
func percent(_ share: Double) -> String {
  let tenths = Int((share * 1000).rounded())
  return "\(tenths / 10).\(tenths % 10) %"
}

extension BenchReport.Machine {
  static var here: BenchReport.Machine {
    let lines = (contents(of: "/proc/cpuinfo") ?? "").split(separator: "\n")
    let model = lines.first { $0.hasPrefix("model name") || $0.hasPrefix("Model") }
    return BenchReport.Machine(
      processor: model.flatMap { $0.split(separator: ":").last.map { String($0.drop { $0 == " " }) } }
        ?? "unknown",
      processors: max(1, lines.count { $0.hasPrefix("processor") }), kernel: kernelRelease())
  }

  var text: String { "\(processor), \(processors) processor\(processors == 1 ? "" : "s"), Linux \(kernel)" }
}
