import CZeroCopy
import SystemPackage

/// A progress bar with the rate on a terminal; nothing elsewhere.
struct Progress {
  private let total: Int?
  private let isShown: Bool
  private let start = czc_now()
  private var nextUpdate: UInt64 = 0
  private var hasDrawn = false

  /// - Parameter total: Bytes to come, where they are known.
  init(total: Int?, isQuiet: Bool) {
    self.total = total
    isShown = !isQuiet && czc_is_terminal(FileDescriptor.standardError.rawValue) == 1
  }

  /// Draws at most ten times a second.
  mutating func update(_ done: Int) {
    guard isShown else { return }
    let now = czc_now()
    guard now >= nextUpdate else { return }
    nextUpdate = now + 100_000_000
    let seconds = max(Double(now - start) / 1e9, 1e-9)
    draw(done, "\(formatted(bytes: done)), \(formatted(rate: Double(done) / seconds))")
  }

  /// As `update`, for steps in place of bytes.
  mutating func update(_ done: Int, saying what: @autoclosure () -> String) {
    guard isShown else { return }
    let now = czc_now()
    guard now >= nextUpdate else { return }
    nextUpdate = now + 100_000_000
    draw(done, what() + left(done, now))
  }

  /// How long it will take still, once that can be told.
  private func left(_ done: Int, _ now: UInt64) -> String {
    let elapsed = Double(now - start) / 1e9
    guard let total, elapsed > 3, done * 50 > total else { return "" }
    let seconds = Int(elapsed * Double(total - done) / Double(done))
    return seconds < 90 ? ", \(seconds) s left" : ", \(seconds / 60) min left"
  }

  /// Takes the bar away: the report follows.
  mutating func end() {
    if hasDrawn { note("\r\u{1B}[K", terminator: "") }
  }

  private mutating func draw(_ done: Int, _ what: String) {
    hasDrawn = true
    var line = "\r\u{1B}[K"
    if let total, total > 0 {
      let share = min(1, Double(done) / Double(total))
      let filled = Int(share * 30)
      line += "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled) + "] "
      line += "\(Int(share * 100)) % "
    }
    note(line + what, terminator: "")
  }
}
