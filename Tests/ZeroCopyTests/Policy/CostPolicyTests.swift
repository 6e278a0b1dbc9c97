import TestSupport
import Testing

@testable import ZeroCopy

@Suite("Choosing by cost")
struct CostPolicyTests {
  /// Of zero copy, relative to copying: what the sink has shown, hot and cold, and what loopback has.
  static let gaps = [0.33, 0.45, 0.62, 0.78, 0.9, 1.02, 1.09, 1.2, 1.35, 1.57, 2]
  static let datagrams = [4096, 8192, 16384, 32768, 65_000]
  static let streams = [16384, 65_536, 262_144, 1 << 20, 4 << 20]

  @Test("Nothing is tried below a page")
  func neverTried() {
    var path = SimulatedPath(CostPolicy(isDatagram: true))
    for size in [0, 1, 1452, 4095] {
      path.send(10_000, of: size, costing: (100, 1))
      #expect(path.zeroCopyShare == 0)
    }
    #expect(path.readings == 0)
  }

  @Test("Where nothing was measured streams go without copying from 1 MiB on, datagrams from 48 KiB on")
  func expectation() {
    let stream = CostPolicy(isDatagram: false)
    #expect(!stream.isExpectedToGain(byteCount: (1 << 20) - 1))
    #expect(stream.isExpectedToGain(byteCount: 1 << 20))
    let datagram = CostPolicy(isDatagram: true)
    #expect(!datagram.isExpectedToGain(byteCount: (48 << 10) - 1))
    #expect(datagram.isExpectedToGain(byteCount: 48 << 10))
  }

  @Test("Datagrams cost what the cheaper way costs, after 64 sends or 2 MiB", arguments: datagrams, gaps)
  func datagram(size: Int, gap: Double) {
    var (worstBegin, worst) = (0.0, 0.0)
    for seed in 1...UInt64(TestScale.scaled(6)) {
      var path = SimulatedPath(CostPolicy(isDatagram: true), seed: seed)
      let copying = 1000 + Double(size) * 0.12
      let first = max(64, (2 << 20) / size)
      path.send(first, of: size, costing: (copying, copying * gap))
      worstBegin = max(worstBegin, path.spent / (Double(first) * copying))
      worst = max(worst, path.send(10_000, of: size, costing: (copying, copying * gap)))
    }
    // What is short is copied at first; of long ones no path was seen on which zero copy costs more than a quarter
    // as much again.
    #expect(worstBegin < (gap < 1.25 || size < 48 << 10 ? 1.1 : 1.25), "of copying, at first")
    #expect(worst < 1.02)
  }

  @Test("The first sends of a stream cost what copying costs", arguments: streams.filter { $0 < 1 << 20 })
  func streamsBegin(size: Int) {
    let first = max(64, (2 << 20) / size)
    var path = SimulatedPath(CostPolicy(isDatagram: false))
    path.send(first, of: size, costing: (10_000, 20_000))
    #expect(path.zeroCopyShare == 0)
    path.send((32 << 20) / size, of: size, costing: (10_000, 20_000))
    #expect(path.zeroCopyShare > 0, "it finds out nothing")
  }

  @Test("Streams cost what the cheaper way costs, after 64 MiB", arguments: streams, gaps)
  func stream(size: Int, gap: Double) {
    var worst = 0.0
    for seed in 1...UInt64(TestScale.scaled(4)) {
      var path = SimulatedPath(CostPolicy(isDatagram: false), seed: seed)
      path.noise = 0.5
      let copying = 1000 + Double(size) * 0.2
      path.send((64 << 20) / size, of: size, costing: (copying, copying * gap))
      worst = max(worst, path.send((512 << 20) / size, of: size, costing: (copying, copying * gap)))
    }
    // A look at the other way is 3 MiB of 35, and more of those that are longer.
    #expect(worst < (size < 1 << 20 ? 1.15 : 1.25))
  }

  /// Before and after: only zero copy changes, only copying, both, towards zero copy and away from it, by much and by
  /// less.
  static let changes: [(SimulatedPath.Costs, SimulatedPath.Costs)] = [
    ((10_000, 15_000), (10_000, 5000)), ((10_000, 5000), (10_000, 15_000)),
    ((10_000, 15_000), (25_000, 15_000)), ((25_000, 15_000), (10_000, 15_000)),
    ((10_000, 15_000), (30_000, 12_000)), ((30_000, 12_000), (10_000, 15_000)),
    ((10_000, 15_000), (18_000, 12_000)), ((18_000, 12_000), (10_000, 15_000)),
    ((10_000, 13_000), (14_000, 10_000)),
  ]

  // 16 sends of 4 MiB are too few for that.
  @Test(
    "After a change of conditions the cheaper way is in use within 64 MiB, of sends of 4 MiB within 256",
    arguments: [(4096, 64), (16_384, 64), (65_000, 64), (65_536, 64), (1 << 20, 64), (4 << 20, 256)])
  func change(size: Int, mebibytes: Int) {
    var least = 1.0
    var random = SeededGenerator(seed: UInt64(size))
    for (before, after) in Self.changes {
      for seed in 1...UInt64(TestScale.scaled(3)) {
        var path = SimulatedPath(CostPolicy(isDatagram: size < 65_536), seed: seed)
        // At any place between two looks at the other way.
        let moment = Int.random(in: 0..<64, using: &random) << 20
        path.send(((1 << 30) + moment) / size, of: size, costing: before)
        path.send((mebibytes << 20) / size, of: size, costing: after)
        path.send((256 << 20) / size, of: size, costing: after)
        let share = after.zeroCopy < after.copying ? path.zeroCopyShare : 1 - path.zeroCopyShare
        least = min(least, share)
      }
    }
    // A look at the dearer way takes up to a tenth of what is sent.
    #expect(least > (size < 1 << 20 ? 0.8 : 0.7))
  }

  @Test("The clock is read for one send of two hundred, or fewer")
  func readings() {
    var path = SimulatedPath(CostPolicy(isDatagram: true))
    path.send(100_000, of: 4096, costing: (2800, 3200))
    #expect(path.readings < 500, "\(path.readings)")
  }

  @Test(
    "A send of another size in a window, another thread, a send that fell back: no wrong figure comes of it")
  func disturbances() {
    var path = SimulatedPath(CostPolicy(isDatagram: false))
    for round in 0..<4000 {
      path.thread = UInt(round % 60 == 0 ? 2 : 1)
      path.send(3, of: 65_536, costing: (20_000, 10_000))
      if round % 50 == 0 { path.policy.spoil() }
      path.send(2, of: 1 << 20, costing: (200_000, 300_000))
      path.send(1, of: 100, costing: (500, 5000))
    }
    path.thread = 1
    path.send(4000, of: 65_536, costing: (20_000, 10_000))
    #expect(path.zeroCopyShare > 0.8)
    path.send(1000, of: 1 << 20, costing: (200_000, 300_000))
    #expect(path.zeroCopyShare < 0.2)
  }

  @Test("A size that is not sent any more, or hardly ever, does not keep others from being measured")
  func rareSizes() {
    var stopped = SimulatedPath(CostPolicy(isDatagram: false))
    stopped.send(200, of: 16_384, costing: (5000, 10_000))
    stopped.send(2000, of: 1 << 20, costing: (200_000, 300_000))
    #expect(stopped.zeroCopyShare < 0.2)

    var rare = SimulatedPath(CostPolicy(isDatagram: false))
    for _ in 0..<40 {
      rare.send(1, of: 16_384, costing: (5000, 10_000))
      rare.send(64, of: 1 << 20, costing: (200_000, 300_000))
    }
    #expect(rare.zeroCopyShare < 0.2)
  }

  @Test("Whatever was sent before, of whatever sizes, what is sent for long goes the cheaper way")
  func histories() {
    for seed in 1...UInt64(TestScale.scaled(200)) {
      var random = SeededGenerator(seed: seed)
      let isDatagram = Bool.random(using: &random)
      var path = SimulatedPath(CostPolicy(isDatagram: isDatagram), seed: seed)
      func size() -> Int { 1 << Int.random(in: 12...(isDatagram ? 15 : 22), using: &random) }
      func costs() -> SimulatedPath.Costs {
        (Double.random(in: 5000...20_000, using: &random), Double.random(in: 5000...20_000, using: &random))
      }
      for _ in 0..<Int.random(in: 0...60, using: &random) {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: path.policy.spoil()
        case 1: path.policy.completed(Int.random(in: 1...40, using: &random), copied: .random(using: &random))
        case 2: path.thread = UInt.random(in: 1...3, using: &random)
        case 3: path.policy.passOver()
        default: path.send(Int.random(in: 1...3000, using: &random), of: size(), costing: costs())
        }
      }
      let (last, isCheaper) = (size(), Bool.random(using: &random))
      let final: SimulatedPath.Costs = isCheaper ? (20_000, 10_000) : (10_000, 20_000)
      path.send((1 << 30) / last, of: last, costing: final)
      path.send((512 << 20) / last, of: last, costing: final)
      let share = isCheaper ? path.zeroCopyShare : 1 - path.zeroCopyShare
      #expect(share > 0.8, "seed \(seed): \(last) bytes, of which \(share) went the cheaper way")
    }
  }

  @Test("Nothing is made of the clocks of several threads", arguments: [false, true])
  func severalThreads(_ areNew: Bool) {
    var path = SimulatedPath(CostPolicy(isDatagram: true))
    for number in 0..<3000 as Range<UInt> {
      // In turns, or each for four sends and never again: then the next one's clock is always ahead.
      path.thread = 1 + (areNew ? number / 4 : number % 3)
      path.send(1, of: 8192, costing: (3000, 2000))
    }
    #expect(path.policy.states.map(\.reason) == [.expected])
    #expect(path.policy.states.allSatisfy { $0.copying.windows == 0 && $0.zeroCopy.windows == 0 })
  }

  @Test("Nothing is made of a clock that goes back")
  func backwards() {
    var policy = CostPolicy(isDatagram: true)
    var time: UInt64 = 1 << 40
    for _ in 0..<3000 {
      _ = policy.choosesZeroCopy(byteCount: 8192) {
        time -= 1000
        return ThreadTime(thread: 1, nanoseconds: time)
      }
      policy.accepted(8192)
    }
    #expect(time < 1 << 40)
    #expect(policy.states.map(\.reason) == [.expected])
    #expect(policy.states.allSatisfy { $0.copying.windows == 0 && $0.zeroCopy.windows == 0 })
  }

  @Test("What one socket has found out the next one begins with")
  func sharing() {
    var first = SimulatedPath(CostPolicy(isDatagram: true))
    first.send(1000, of: 8192, costing: (3000, 2000))
    #expect(first.policy.hasNews)
    let decided = first.policy.takeNews()!
    var table = CostTable()
    table.note(decided)
    #expect(decided.size == SizeClass(byteCount: 8192) && decided.usesZeroCopy)
    #expect(!first.policy.hasNews)

    var second = SimulatedPath(CostPolicy(isDatagram: true, learnt: table))
    second.send(64, of: 8192, costing: (3000, 2000))
    #expect(second.zeroCopyShare == 1)
    #expect(second.policy.states.map(\.reason) == [.learnt])
    // And it goes on finding out.
    second.send(20_000, of: 8192, costing: (3000, 6000))
    #expect(!second.choices.last!)
  }

  @Test("It follows a route from a fast device over loopback to a device that is captured, and back")
  func route() {
    // What the kernel reports comes with each send; on loopback it contradicts what is cheaper.
    let stations: [(costs: SimulatedPath.Costs, isCopied: Bool)] = [
      ((26_000, 12_000), false), ((14_000, 11_000), true), ((20_000, 31_000), true),
      ((26_000, 12_000), false),
    ]
    for size in [65_000, 65_536, 1 << 20] {
      var path = SimulatedPath(CostPolicy(isDatagram: size < 65_536))
      for station in stations {
        path.isCopied = station.isCopied
        path.send((64 << 20) / size, of: size, costing: station.costs)
        path.send((256 << 20) / size, of: size, costing: station.costs)
        let share =
          station.costs.zeroCopy < station.costs.copying ? path.zeroCopyShare : 1 - path.zeroCopyShare
        #expect(share > 0.85, "\(size) bytes, \(station)")
      }
    }
  }

  @Test("That the kernel copies all of a sudden makes it look again, at once")
  func hint() {
    var path = SimulatedPath(CostPolicy(isDatagram: true))
    path.send(8000, of: 65_000, costing: (9000, 3000))
    for _ in 0..<40 { path.policy.completed(1, copied: false) }
    let before = path.readings
    path.send(20, of: 65_000, costing: (9000, 3000))
    #expect(path.readings == before)
    path.policy.completed(16, copied: true)
    path.send(20, of: 65_000, costing: (9000, 3000))
    #expect(path.readings > before)
  }
}
