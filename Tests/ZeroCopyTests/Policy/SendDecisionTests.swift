import TestSupport
import Testing

@testable import ZeroCopy

/// What `.automatic` says of itself.
@Suite("Decisions in words")
struct SendDecisionTests {
  private static let size = 65_536
  private static let sizes = "65536..<98304 bytes: "

  /// A path of which something was sent until it was at that.
  private func path(
    _ reason: SendDecision.Reason, costing costs: SimulatedPath.Costs, learnt: CostTable? = nil
  ) throws -> SimulatedPath {
    // By chance two ways that cost the same may seem to differ.
    for seed in 1...20 as ClosedRange<UInt64> {
      var path = SimulatedPath(CostPolicy(isDatagram: false, learnt: learnt), seed: seed)
      for _ in 0..<10_000 {
        path.send(1, of: Self.size, costing: costs)
        if path.policy.states[0].reason == reason { return path }
      }
    }
    throw NeverSo()
  }

  private struct NeverSo: Error {}

  private func words(
    _ reason: SendDecision.Reason, costing costs: SimulatedPath.Costs = (10_000, 20_000),
    learnt: CostTable? = nil
  ) throws -> String {
    "\(SendDecision(try path(reason, costing: costs, learnt: learnt).policy.states[0]))"
  }

  @Test("Before anything is measured")
  func expected() throws {
    #expect(try words(.expected) == Self.sizes + "copying, expected by its size; nothing is measured yet")
  }

  @Test("While both ways are tried")
  func trying() throws {
    #expect(try words(.trying) == Self.sizes + "copying, and both ways are being tried")
  }

  @Test("With what either way costs, once it is measured")
  func measured() throws {
    let costs = "s of processor time a GiB, and"
    let copying = try words(.measured, costing: (10_000, 20_000))
    #expect(copying.hasPrefix(Self.sizes + "copying, measured to be cheaper: 0.1"))
    #expect(copying.contains("\(costs) zero copy 0.3"))
    let zeroCopy = try words(.measured, costing: (20_000, 10_000))
    #expect(zeroCopy.hasPrefix(Self.sizes + "zero copy, measured to be cheaper: 0.1"))
    #expect(zeroCopy.contains("\(costs) copying 0.3"))
  }

  @Test("Where the two ways cost the same")
  func equal() throws {
    let text = try words(.equal, costing: (10_000, 10_000))
    #expect(text.hasPrefix(Self.sizes + "copying, as the two ways do not clearly differ: 0.1"))
    #expect(text.contains(" s of processor time a GiB, and zero copy 0.1"))
  }

  @Test("What an earlier socket on the path has found out")
  func learnt() throws {
    var table = CostTable()
    table.note(try path(.measured, costing: (20_000, 10_000)).policy.states[0])
    let text = try words(.learnt, learnt: table)
    #expect(text.hasPrefix(Self.sizes + "zero copy, as an earlier socket has found out: 0.1"))
    #expect(text.contains(" s of processor time a GiB, and copying 0.3"))
  }
}
