import TestSupport
import Testing

@testable import ZeroCopy

@Suite("Whether a cost has changed")
struct ChangeWatchTests {
  private static let size = SizeClass(byteCount: 65_536)!
  static let paces = [Pace(size, isDatagram: true), Pace(size, isDatagram: false)]

  private func watch() -> ChangeWatch {
    var watch = ChangeWatch()
    watch.begin(10)
    return watch
  }

  @Test("One window alone says nothing, whatever it cost, nor do two far apart", arguments: paces)
  func outlier(_ pace: Pace) {
    for cost in [0, 1000] as [Float] {
      var watch = watch()
      for _ in 0..<50 {
        #expect(watch.add(cost, now: 10, pace) != .changed)
        for _ in 0..<10 { #expect(watch.add(10, now: 10, pace) != .changed) }
      }
    }
  }

  @Test(
    "What has become half as dear again, or a third cheaper, is told within ten windows",
    arguments: paces, [15, 6.5] as [Float])
  func change(_ pace: Pace, _ cost: Float) {
    var watch = watch()
    let count = (1...10).first { _ in watch.add(cost, now: 10, pace) == .changed }
    #expect((3...10).contains(count ?? 0))
  }

  @Test("Chance of a tenth up or down comes to nothing, and a slow drift is followed", arguments: paces)
  func chance(_ pace: Pace) {
    var random = SeededGenerator(seed: 1)
    var watch = watch()
    var cost: Float = 10
    for _ in 0..<10_000 {
      cost *= 1.0005
      let window = cost * Float.random(in: 0.9...1.1, using: &random)
      #expect(watch.add(window, now: cost, pace) == .asBefore)
    }
    #expect(cost > 1000)
  }
}
