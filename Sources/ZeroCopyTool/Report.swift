import CZeroCopy
import ZeroCopy

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What one transfer came to, for a person or for a machine.
struct Report: Encodable {
  var action: String
  var peer: String
  var mode: String?
  var zeroCopy: String?
  var bytes = 0
  var seconds = 0.0
  var cpuSeconds = 0.0
  var sends: Int?
  var zeroCopySends: Int?
  var completed: Int?
  var copied: Int?
  var fallbacks: Int?

  mutating func add(_ statistics: Statistics) {
    sends = statistics.sends
    zeroCopySends = statistics.zeroCopySends
    completed = statistics.completed
    copied = statistics.copied
    fallbacks = statistics.fallbacks
  }

  var text: String {
    var lines = [
      "\(action) \(bytes) bytes (\(formatted(bytes: bytes))) \(action == "sent" ? "to" : "from") \(peer.hasSuffix(":") ? "a \(peer.dropLast()) peer" : peer)",
      "  time        \(formatted(seconds: seconds)), \(formatted(rate: Double(bytes) / max(seconds, 1e-9)))",
      "  CPU         \(formatted(seconds: cpuSeconds))",
    ]
    if let sends, let zeroCopySends, let completed, let copied {
      lines.append("  sends       \(sends), of these zero-copy \(zeroCopySends)")
      lines.append("  completed   \(completed), of these copied by the kernel after all \(copied)")
    }
    if let fallbacks, fallbacks > 0 {
      lines.append("  fallbacks   \(fallbacks) sends were copied for want of zero copy")
    }
    if let zeroCopy { lines.append("  zero copy   \(zeroCopy)") }
    return lines.joined(separator: "\n")
  }
}

/// Wall and CPU time since its making.
struct Stopwatch {
  private let start = czc_now()
  private let cpu = czc_process_cpu()

  var seconds: Double { Double(czc_now() - start) / 1e9 }
  var cpuSeconds: Double { Double(czc_process_cpu() - cpu) / 1e9 }
}

/// One JSON object on one line.
func encoded(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

func formatted(bytes: Int) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  var value = Double(bytes)
  var index = 0
  while value >= 1024, index < units.count - 1 {
    value /= 1024
    index += 1
  }
  return index == 0 ? "\(bytes) B" : "\(decimal(value, places: 2)) \(units[index])"
}

func formatted(rate: Double) -> String { formatted(bytes: Int(min(rate, 1e18))) + "/s" }
func formatted(seconds: Double) -> String { "\(decimal(seconds, places: 3)) s" }

/// A number with a fixed count of decimal places.
private func decimal(_ value: Double, places: Int) -> String {
  let scale = places == 2 ? 100 : 1000
  let scaled = Int((value * Double(scale)).rounded())
  let fraction = String(scaled % scale)
  return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
}
