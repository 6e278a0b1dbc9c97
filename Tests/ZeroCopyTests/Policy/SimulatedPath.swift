import TestSupport
import Testing

@testable import ZeroCopy

/// A path on which both ways have a cost that the test knows, and a policy that has to find it out.
struct SimulatedPath {
  /// Nanoseconds of a send by copying and by zero copy.
  typealias Costs = (copying: Double, zeroCopy: Double)

  var policy: CostPolicy
  /// By how much the cost of a single send varies: the half of the sends cost so much less, the others more.
  var noise = 0.07
  private(set) var clock = 0.0
  private(set) var readings = 0
  private(set) var choices: [Bool] = []
  private(set) var spent = 0.0
  var thread: UInt = 1
  /// What the kernel reports of each zero-copy send; `nil` where nothing is read.
  var isCopied: Bool?
  private var random: SeededGenerator

  init(_ policy: CostPolicy, seed: UInt64 = 1) {
    self.policy = policy
    random = SeededGenerator(seed: seed)
  }

  /// - Returns: What the sends have cost, of what the cheaper way would have.
  @discardableResult
  mutating func send(_ count: Int, of byteCount: Int, costing costs: Costs) -> Double {
    let before = spent
    choices.removeAll(keepingCapacity: true)
    for _ in 0..<count {
      var readings = 0
      // Each thread has a clock of its own.
      let (time, thread) = (UInt64(clock) + UInt64(thread) << 40, thread)
      let zeroCopy = policy.choosesZeroCopy(byteCount: byteCount) {
        readings += 1
        return ThreadTime(thread: thread, nanoseconds: time)
      }
      policy.accepted(byteCount)
      if zeroCopy, let isCopied { policy.completed(1, copied: isCopied) }
      let cost =
        (zeroCopy ? costs.zeroCopy : costs.copying) * Double.random(in: 1 - noise...1 + noise, using: &random)
      self.readings += readings
      spent += cost
      // A reading costs some 400 ns.
      clock += cost + Double(readings) * 400
      choices.append(zeroCopy)
    }
    return (spent - before) / (Double(count) * min(costs.copying, costs.zeroCopy))
  }

  /// How many of the latest sends went without copying, of one.
  var zeroCopyShare: Double { Double(choices.count { $0 }) / Double(choices.count) }
}

extension PathExperience {
  /// Lets streams over loopback know from the beginning that sends of a size are cheaper without copying.
  convenience init(ofLoopbackWhereZeroCopyPaysAt size: Int) throws {
    self.init()
    var path = SimulatedPath(CostPolicy(isDatagram: false))
    path.send(1000, of: size, costing: (200_000, 100_000))
    let decision = path.policy.takeNews()
    let connected = try Connected()
    note(try #require(decision), of: connected.client.connection.path)
  }
}
