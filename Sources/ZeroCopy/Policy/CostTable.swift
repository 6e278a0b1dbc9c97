/// What a socket has found out on its path, for each class of sizes.
package struct CostTable: Sendable {
  struct Finding: Sendable, Hashable {
    var usesZeroCopy: Bool
    /// Nanoseconds a byte.
    var copying: Float
    var zeroCopy: Float
  }

  /// One a class; `nil` where nothing was found out.
  var classes: [Finding?]

  /// Takes over what a later table knows.
  mutating func merge(_ later: CostTable) {
    for (index, finding) in later.classes.enumerated() where finding != nil { classes[index] = finding }
  }
}
