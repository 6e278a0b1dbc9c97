import ArgumentParser
import SystemPackage
import ZeroCopy

struct Bench: Command {
  static let configuration = CommandConfiguration(
    abstract: "Measure what sending costs, by copying, by zero copy and in automatic mode; say what pays.",
    discussion: """
      loopback  TCP to this machine: the kernel copies all the same, and it says what that costs.
      sink      UDP into a device that swallows every packet: what sending costs, and nothing else.
      wire      TCP over a cable to a second network on this machine, whose card copies. Needs root.
      ENDPOINT  HOST:PORT, [IPV6]:PORT, vsock:CID:PORT or udp:HOST:PORT, where 'zerocopy sink ENDPOINT' runs, on \
      another machine.

      What is measured is the processor time of the sending thread for each GiB; subjects take turns, and two equal \
      ones show how far chance goes. Hot is 256 KiB sent again and again, cold 64 MiB; but one send at least, and 8 \
      buffers of a pool, which may wait for them where they come back late. Where it fails half-way, what was \
      measured is reported. Exit code 77: this machine has no such lane.
      """)

  @Argument(help: "loopback, sink, wire or ENDPOINT.", transform: BenchTarget.init(parsing:))
  var target: BenchTarget

  @Option(
    help: "Bytes a send, for instance 4K,64K,1M. (default: 4K to 4M; datagrams 4K to 32K, and 65000)",
    transform: parseSizes)
  var sizes: Sizes?

  @Option(
    help:
      "What to measure, separated by commas: \(Subject.ofLibrary.map(\.rawValue).joined(separator: ", ")). (default: all)",
    transform: parseSubjects)
  var subjects: Subjects?

  @Option(help: "How often each is measured. (default: 9)")
  var rounds: Int?

  @Option(help: "Of how many new connections the first sends are measured. (default: 100)")
  var connections: Int?

  @Flag(help: "A first impression within half a minute.")
  var quick = false

  @Flag(help: "Report as JSON.")
  var json = false

  @Option(help: "Also write the report as JSON to this file.")
  var save: String?

  @Option(help: "Draw a chart, an SVG file: the processor time of a GiB over the size of a send.")
  var chart: String?

  @Option(
    help: ArgumentHelp(
      "A program in C to compare with, as Benchmarks/Sources/PlainPool.", visibility: .hidden))
  var floor: String?

  struct Sizes { var values: [Int] }
  struct Subjects { var values: [Subject] }

  func validate() throws { _ = try plan() }

  private func plan() throws -> Plan {
    var plan = try Plan(
      isDatagram: target.isDatagram, sizes: sizes?.values, rounds: rounds, connections: connections,
      subjects: subjects?.values, isQuick: quick)
    if floor != nil { plan.subjects += [.plainCopy, .plainZeroCopy] }
    return plan
  }

  func execute() throws {
    let plan = try plan()
    // Known to be ours before minutes are spent.
    let outputs = try [save, chart].map { name in try name.map(openOutput) }
    let path = try BenchPath(target)
    try path.checkZeroCopy()
    var measurement = Measurement(
      plan, over: path, floor: floor.map { PlainSender(program: $0, path: path) }, isQuiet: json)
    var failure: (any Error)?
    do {
      try measurement.run()
    } catch  where !measurement.cells.isEmpty {
      // The minutes before shall not be lost.
      failure = error
    }
    let report = BenchReport(path, rounds: plan.rounds, cells: measurement.cells)
    if let file = outputs[0] { try write(try encoded(report) + "\n", to: file, save ?? "") }
    if let file = outputs[1] { try write(Chart(report).svg, to: file, chart ?? "") }
    try say(json ? try encoded(report) : report.text)
    if let failure {
      note("\(plan.spans.count * plan.sizes.count - report.cells.count) cells could not be measured:")
      throw failure
    }
  }

  private func openOutput(_ name: String) throws -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        FilePath(name), .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw Failure("cannot write '\(name)' (\(error)); check the folder and its permissions")
    }
  }

  private func write(_ text: String, to file: FileDescriptor, _ name: String) throws {
    do {
      _ = try file.writeAll(text.utf8)
      try file.close()
    } catch {
      throw Failure("cannot write '\(name)' (\(error))")
    }
  }
}

@Sendable private func parseSizes(_ text: String) throws -> Bench.Sizes {
  Bench.Sizes(
    values: try text.split(separator: ",", omittingEmptySubsequences: false).map {
      try parseByteCount(String($0))
    })
}

@Sendable private func parseSubjects(_ text: String) throws -> Bench.Subjects {
  Bench.Subjects(
    values: try text.split(separator: ",", omittingEmptySubsequences: false).map { name in
      guard let subject = Subject(rawValue: String(name)), !subject.isPlain else {
        throw ValidationError(
          "'\(name)' is no subject; there are \(Subject.ofLibrary.map(\.rawValue).joined(separator: ", "))")
      }
      return subject
    })
}
