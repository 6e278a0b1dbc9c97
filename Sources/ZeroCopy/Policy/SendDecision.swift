/// What `.automatic` does with sends of one size on one socket, and why.
public struct SendDecision: Sendable, Hashable, CustomStringConvertible {
  /// How it came to that.
  public enum Reason: Sendable, Hashable, CaseIterable {
    /// By the size alone: nothing was measured yet.
    case expected
    /// An earlier socket on the same path had found it out; see `PathExperience`.
    case learnt
    /// Both ways are tried in turn at the moment.
    case trying
    /// It was measured to be the cheaper way.
    case measured
    /// Both ways cost the same as far as can be told: it goes on as before.
    case equal
  }

  /// The sends that it is about, by their bytes.
  public let sizes: Range<Int>
  /// Whether they go without copying.
  public let usesZeroCopy: Bool
  /// How it came to that.
  public let reason: Reason
  /// Processor seconds of the sending thread for a GiB that is copied, as measured lately; `nil` where it was not.
  public let costOfCopying: Double?
  /// The same for a GiB that is not copied, with what reading the notifications takes.
  public let costOfZeroCopy: Double?
  /// How often it has gone over from one way to the other.
  public let changes: Int

  init(_ state: ClassPolicy) {
    sizes = state.size.range
    usesZeroCopy = state.usesZeroCopy
    reason = state.reason
    costOfCopying = Self.cost(state.copying)
    costOfZeroCopy = Self.cost(state.zeroCopy)
    changes = state.changes
  }

  private static func cost(_ estimate: CostEstimate) -> Double? {
    // Nanoseconds a byte.
    estimate.windows > 0 ? Double(estimate.typical) * Double(1 << 30) / 1e9 : nil
  }

  /// In words, for instance "49152..<65536 bytes: zero copy, measured to be cheaper: 0.048 s of processor
  /// time a GiB, and copying 0.145".
  public var description: String {
    let way = usesZeroCopy ? "zero copy" : "copying"
    return "\(Self.text(sizes)): \(way), \(why)"
  }

  private var why: String {
    let used = usesZeroCopy ? costOfZeroCopy : costOfCopying
    let other = usesZeroCopy ? costOfCopying : costOfZeroCopy
    let otherWay = usesZeroCopy ? "copying" : "zero copy"
    let costs = used.flatMap { used in
      other.map { "\(Self.text(used)) s of processor time a GiB, and \(otherWay) \(Self.text($0))" }
    }
    switch reason {
    case .expected: return "expected by its size; nothing is measured yet"
    case .trying: return "and both ways are being tried"
    case .learnt: return "as an earlier socket has found out\(costs.map { ": \($0)" } ?? "")"
    case .measured: return "measured to be cheaper: \(costs ?? "")"
    case .equal: return "as the two ways do not clearly differ: \(costs ?? "")"
    }
  }

  private static func text(_ sizes: Range<Int>) -> String {
    sizes.upperBound == .max
      ? "from \(sizes.lowerBound) bytes" : "\(sizes.lowerBound)..<\(sizes.upperBound) bytes"
  }

  /// Three digits behind the point.
  private static func text(_ cost: Double) -> String {
    let thousandths = Int((cost * 1000).rounded())
    let fraction = "\(thousandths % 1000)"
    return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}
