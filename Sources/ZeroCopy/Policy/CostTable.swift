/// What sockets have found out on a path, for each class of sizes.
package struct CostTable: Sendable {
  struct Finding: Sendable, Hashable {
    var usesZeroCopy: Bool
    /// Nanoseconds a byte.
    var copying: Float
    var zeroCopy: Float
  }

  /// By class; few, and in no order.
  private var findings: [(size: SizeClass, finding: Finding)] = []

  package init() {}

  subscript(size: SizeClass) -> Finding? { findings.first { $0.size == size }?.finding }

  /// Takes over what was decided about a class.
  package mutating func note(_ state: ClassPolicy) {
    guard let finding = state.finding else { return }
    if let index = findings.firstIndex(where: { $0.size == state.size }) {
      findings[index].finding = finding
    } else {
      findings.append((state.size, finding))
    }
  }
}
