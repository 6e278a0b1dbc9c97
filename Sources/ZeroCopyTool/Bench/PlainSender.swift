import CLanes
import SystemPackage
import ZeroCopy

/// A program in C that sends in turn from huge pages, by copying or not, as plainly as can be: the floor.
///
/// It is Benchmarks/Sources/PlainPool, and prints its own cost.
struct PlainSender {
  let program: String
  let path: BenchPath

  /// - Returns: Processor seconds a GiB.
  func cost(_ subject: Subject, of sends: Int, size: Int, buffers: Int) throws -> Double {
    let arguments = [
      program, "\(path.endpoint)", subject.mode == .copy ? "copy" : "zerocopy", "huge", "\(sends)", "\(size)",
      "\(buffers)", path.isDatagram ? "warm" : "greet",
    ]
    let (process, output) = try start(arguments)
    let line = output.line()
    try? output.close()
    let status = cln_end(process, false)
    guard status == 0, let cost = Double(line) else {
      throw Failure("'\(program)' failed\(line.isEmpty ? "" : ": \(line)")")
    }
    return cost
  }
}
