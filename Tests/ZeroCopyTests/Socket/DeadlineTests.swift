import Testing

@testable import ZeroCopy

@Suite("Deadlines")
struct DeadlineTests {
  @Test(
    "A duration is whole nanoseconds, rounded up, and stays within 64 bits",
    arguments: [
      (Duration.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1500), 1_500_000_000), (.seconds(-1), 0),
      (.nanoseconds(-1), 0), (Duration(secondsComponent: 0, attosecondsComponent: 1), 1),
      (.seconds(Int64.max), UInt64.max), (.seconds(18_446_744_073), 18_446_744_073_000_000_000),
    ] as [(Duration, UInt64)])
  func wholeNanoseconds(_ duration: Duration, _ nanoseconds: UInt64) {
    #expect(duration.wholeNanoseconds == nanoseconds)
  }

  @Test("No time-out never passes, none at all and a negative one have passed")
  func passing() {
    #expect(!Deadline(after: nil).hasPassed)
    #expect(!Deadline.never.hasPassed)
    #expect(Deadline.never.remaining(atMost: 5) == 5)
    #expect(!Deadline(after: .seconds(Int64.max)).hasPassed)
    #expect(Deadline(after: .zero).hasPassed)
    #expect(Deadline(after: .seconds(-5)).hasPassed)
    #expect(Deadline(after: .seconds(3600)).remaining(atMost: 7) == 7)
  }

  @Test("Patience without a bound never ends; with none at all it lasts for one more try")
  func patience() {
    var endless = Patience(nil)
    #expect((0..<10).allSatisfy { _ in endless.isLeft })
    var none = Patience(.zero)
    #expect([none.isLeft, none.isLeft] == [true, false])
  }
}
