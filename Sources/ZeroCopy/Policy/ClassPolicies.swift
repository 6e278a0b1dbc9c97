/// The classes of which something was sent: few as a rule, so that there is room for no more.
struct ClassPolicies: Sendable {
  private var used: [ClassPolicy] = []
  /// Where each class is in `used`; `nowhere` where it is not.
  private var places = SIMD32<UInt8>(repeating: nowhere)

  private static let nowhere = UInt8.max

  func has(_ size: SizeClass) -> Bool { places[size.index] != Self.nowhere }

  mutating func add(_ policy: ClassPolicy) {
    places[policy.size.index] = UInt8(used.count)
    used.append(policy)
  }

  /// One that is there.
  subscript(size: SizeClass) -> ClassPolicy {
    get { used[Int(places[size.index])] }
    set { used[Int(places[size.index])] = newValue }
    _modify { yield &used[Int(places[size.index])] }
  }

  mutating func changeAll(_ body: (inout ClassPolicy) -> Void) {
    for index in used.indices { body(&used[index]) }
  }

  /// The smallest first.
  var all: [ClassPolicy] { used.sorted { $0.size.index < $1.size.index } }
}
