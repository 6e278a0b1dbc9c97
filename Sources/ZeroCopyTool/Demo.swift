import ArgumentParser
import CZeroCopy
import ZeroCopy

struct Demo: Command {
  static let configuration = CommandConfiguration(
    abstract:
      "Send a file to ourselves, by copying, by zero copy and from a pool; compare every byte and the cost.",
    discussion: "Over loopback: it shows that it works, and why the benefit only shows on a network.")

  @Argument(help: "The file to send. (default: generated data)")
  var file: String?

  @Option(
    help: "Bytes to generate where there is no file, for instance 64M. (default: 256M)",
    transform: parseByteCount)
  var size: Int?

  @Flag(help: "Report as JSON.")
  var json = false

  func validate() throws {
    if file == "-" { throw ValidationError("the demo reads a file twice, and standard input only once") }
    if file != nil, size != nil { throw ValidationError("--size is for generated data; leave FILE out") }
  }

  func execute() throws {
    let payload = try Payload(file: file, size: size ?? 256 << 20)
    var rows: [Row] = []
    for way in Way.allCases { rows.append(try measure(way, payload)) }
    let outcome = Outcome(source: payload.name, bytes: payload.size, rows: rows)
    try say(json ? try encoded(outcome) : outcome.text)
    if !outcome.isRight { throw ExitCode.failure }
  }

  /// Sends the payload once over a connection of its own.
  private func measure(_ way: Way, _ payload: Payload) throws -> Row {
    var listener = try ZeroCopyListener(binding: .tcp(host: "127.0.0.1", port: 0))
    let configuration = Configuration(writeTimeout: .seconds(30), readTimeout: .seconds(30))
    var socket = try ZeroCopySocket.connect(to: listener.localAddress, configuration: configuration)
    let peer = Handoff(try listener.accept(timeout: .seconds(10)))
    listener.close()

    var row = Row(way: way)
    guard way == .copy || socket.availability.isAvailable else {
      row.note = "zero copy is \(socket.availability)"
      return row
    }
    let receiver = DemoReceiver(peer, payload)
    let start = czc_now()
    let cpu = czc_thread_cpu()
    row.note = payload.send(through: &socket, way)
    row.cpuSeconds = Double(czc_thread_cpu() - cpu) / 1e9
    let received = receiver.wait()
    row.seconds = Double(czc_now() - start) / 1e9
    row.comparedBytes = received.equalBytes
    row.isEqual = received.failure == nil && received.equalBytes == payload.size
    row.note = row.note ?? received.failure
    row.sends = socket.statistics.sends
    row.completed = socket.statistics.completed
    row.copied = socket.statistics.copied
    try? socket.close(timeout: .seconds(1))
    return row
  }
}

/// How the demo sends.
enum Way: String, CaseIterable {
  case copy
  case zeroCopy = "zero-copy"
  /// Zero copy from a pool on huge pages, which is filled first.
  case pool
}

/// One way of sending, and what came of it.
struct Row: Encodable {
  let mode: String
  var seconds = 0.0
  var cpuSeconds = 0.0
  var sends = 0
  var completed = 0
  var copied = 0
  var comparedBytes = 0
  var isEqual = false
  /// What went wrong.
  var note: String?

  init(way: Way) { mode = way.rawValue }

  var text: String {
    guard seconds > 0 else { return Row.line([mode, "-", "-", "-", "-", "-", "-", "-"]) }
    return Row.line([
      mode, formatted(seconds: seconds), formatted(rate: Double(comparedBytes) / seconds),
      formatted(seconds: cpuSeconds), "\(sends)", "\(completed)", "\(copied)",
      isEqual ? "all \(comparedBytes) equal" : "only \(comparedBytes) equal",
    ])
  }

  static let header = line(
    ["mode", "time", "rate", "sender CPU", "sends", "completed", "copied", "bytes at the receiver"])

  private static func line(_ cells: [String]) -> String {
    let widths = [10, 9, 13, 11, 7, 10, 7, 0]
    return zip(cells, widths).map { cell, width in
      cell + String(repeating: " ", count: max(0, width - cell.count))
    }.joined(separator: " ")
  }
}

/// The whole demonstration.
struct Outcome: Encodable {
  let source: String
  let bytes: Int
  let rows: [Row]
  let verdict: String

  init(source: String, bytes: Int, rows: [Row]) {
    (self.source, self.bytes, self.rows) = (source, bytes, rows)
    verdict = Outcome.verdict(rows)
  }

  var isRight: Bool { rows.allSatisfy(\.isEqual) }

  var text: String {
    let title = "\(source), \(bytes) bytes (\(formatted(bytes: bytes))), over TCP on loopback"
    return ([title, "", Row.header] + rows.map(\.text) + ["", verdict]).joined(separator: "\n")
  }

  private static func verdict(_ rows: [Row]) -> String {
    if let untried = rows.first(where: { $0.seconds == 0 }), let note = untried.note {
      return "\(untried.mode) was not tried: \(note)"
    }
    if let failed = rows.first(where: { !$0.isEqual }) {
      return "Not shown with \(failed.mode): \(failed.note ?? "the receiver got other bytes than were sent")"
    }
    let equal = "Every byte arrived as it was sent."
    guard let last = rows.last, last.copied == last.completed else {
      return equal + " The kernel really sent without copying."
    }
    return """
      \(equal) The kernel took every zero-copy send, and reports that it copied them all:
      on loopback the receiver would otherwise read the sender's own pages, so Linux copies them there. The
      times above therefore say nothing about a network. To see it on one, take two machines:
        the first:   zerocopy receive 0.0.0.0:9000 --output /dev/null
        the second:  zerocopy send FILE FIRST:9000 --mode zero-copy
      """
  }
}
