import Testing
import ZeroCopy

@Suite("The least rate")
struct RateWatchTests {
  private let second: UInt64 = 1_000_000_000

  @Test("A peer that stands still is too slow after two seconds of waiting, not before")
  func stalled() {
    var watch = RateWatch()
    let verdicts = (0..<4).map { _ in
      watch.isTooSlow(leastRate: 1000, waited: second, acknowledged: 0, hasMore: true)
    }
    // The first look begins the watch.
    #expect(verdicts == [false, false, true, false])
  }

  @Test(
    "One that trickles is, one that is as fast as asked for is not", arguments: [(999, true), (1000, false)])
  func rate(_ bytesPerSecond: Int, _ isTooSlow: Bool) {
    var watch = RateWatch()
    var found = false
    for second in 0..<100 {
      let isSlow = watch.isTooSlow(
        leastRate: 1000, waited: self.second, acknowledged: second * bytesPerSecond, hasMore: true)
      found = found || isSlow
    }
    #expect(found == isTooSlow)
  }

  @Test("Short waits add up: a peer that lets each call through after a moment may be slow all the same")
  func shortWaits() {
    var watch = RateWatch()
    var acknowledged = 0
    var looks = 0
    repeat {
      looks += 1
      acknowledged += 1
    } while !watch.isTooSlow(leastRate: 1000, waited: second / 100, acknowledged: acknowledged, hasMore: true)
      && looks < 1000
    #expect(looks == 201)
  }

  @Test("A peer to which nothing is left to send begins anew, however little that was")
  func idle() {
    var watch = RateWatch()
    for round in 0..<1000 {
      let begun = watch.isTooSlow(leastRate: 1000, waited: second, acknowledged: round, hasMore: true)
      #expect(!begun)
      let done = watch.isTooSlow(leastRate: 1000, waited: second / 2, acknowledged: round + 1, hasMore: false)
      #expect(!done)
    }
  }

  @Test("A rate that makes no sense stops nothing", arguments: [(Int.min, false), (0, false), (.max, true)])
  func absurd(_ leastRate: Int, _ expected: Bool) {
    var watch = RateWatch()
    _ = watch.isTooSlow(leastRate: leastRate, waited: 0, acknowledged: 0, hasMore: true)
    let isTooSlow = watch.isTooSlow(
      leastRate: leastRate, waited: second * 3, acknowledged: 1 << 50, hasMore: true)
    #expect(isTooSlow == expected)
  }
}
