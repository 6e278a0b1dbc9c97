import Testing
import ZeroCopy

@Suite("What is kept for a send is handed out exactly once")
struct InFlightTests {
  @Test("Numbers start at 0 and grow by one")
  func numbersGrow() {
    let inFlight = TestLedger<String>()
    #expect(inFlight.next == 0)
    #expect(inFlight.reserve("a") == 0)
    #expect(inFlight.reserve("b") == 1)
    #expect(inFlight.outstanding == 0..<2)
    #expect(inFlight.count == 2)
  }

  @Test("The oldest are released first, up to a number")
  func oldestFirst() {
    let inFlight = TestLedger(keeping: ["a", "b", "c", "d"])
    #expect(inFlight.released(below: 3) == ["a", "b", "c"])
    #expect(inFlight.outstanding == 3..<4)
    #expect(inFlight.count == 1)
    #expect(inFlight.released(below: 3) == [])
    #expect(inFlight.released(below: .max) == ["d"])
    #expect(inFlight.released(below: .max) == [])
    #expect(inFlight.count == 0 && inFlight.next == 4)
  }

  @Test("One that may not go yet holds all behind it")
  func heldByOne() {
    let inFlight = TestLedger(keeping: ["a", "b", "c"])
    #expect(inFlight.released(below: 3) { $0 != "b" } == ["a"])
    #expect(inFlight.outstanding == 1..<3)
    #expect(inFlight.released(below: 3) == ["b", "c"])
  }

  @Test("What is taken out in the middle leaves the others in place, and is not handed out again")
  func takenOut() {
    let inFlight = TestLedger(keeping: ["a", "b", "c", "d"])
    #expect(inFlight.released { $0 == "b" || $0 == "d" } == ["b", "d"])
    #expect(inFlight.isInFlight(0) && !inFlight.isInFlight(1) && inFlight.isInFlight(2))
    #expect(inFlight.outstanding == 0..<4)
    #expect(inFlight.hasAny(from: 2) && !inFlight.hasAny(from: 3))
    #expect(inFlight.released(below: 4) == ["a", "c"])
    #expect(inFlight.outstanding.isEmpty && inFlight.next == 4)
    #expect(!inFlight.isInFlight(4) && !inFlight.isInFlight(.max))
  }

  @Test("A call that took no id gives its number and what was kept back")
  func takeBack() {
    let inFlight = TestLedger(keeping: ["a", "b"])
    #expect(inFlight.takeBack() == "b")
    #expect(inFlight.next == 1)
    #expect(inFlight.reserve("c") == 1)
    #expect(inFlight.released(below: 2) == ["a", "c"])
  }

  @Test("A number taken back leaves nothing behind, also above released ones")
  func takeBackAboveReleased() {
    let inFlight = TestLedger(keeping: ["a", "b", "c"])
    #expect(inFlight.released { $0 == "b" } == ["b"])
    #expect(inFlight.takeBack() == "c")
    // Number 1 stays used: only the newest one is given out again.
    #expect(inFlight.outstanding == 0..<2)
    #expect(inFlight.takeBack() == nil)
    #expect(inFlight.outstanding == 0..<2)
    #expect(inFlight.released(below: 1) == ["a"])
    #expect(inFlight.outstanding == 2..<2)
    #expect(inFlight.reserve("d") == 2)
  }

  @Test("Nothing can be taken back where nothing was reserved, or where it was released meanwhile")
  func takeBackNothing() {
    let inFlight = TestLedger<String>()
    #expect(inFlight.takeBack() == nil)
    #expect(inFlight.next == 0 && inFlight.count == 0)
    inFlight.reserve("a")
    #expect(inFlight.released(below: 1) == ["a"])
    #expect(inFlight.takeBack() == nil)
    #expect(inFlight.next == 1 && inFlight.count == 0)
  }

  @Test("What is kept for the newest send can be changed until it is released")
  func updateNewest() {
    let inFlight = TestLedger(keeping: ["a", "b"])
    inFlight.updateNewest { $0 += "!" }
    #expect(inFlight.released(below: 2) == ["a", "b!"])
    inFlight.updateNewest { _ in Issue.record("nothing is in flight") }
    #expect(inFlight.count == 0)
  }

  @Test("An update passes over a newest send that was released")
  func updateReleased() {
    let inFlight = TestLedger(keeping: ["a", "b"])
    #expect(inFlight.released { $0 == "b" } == ["b"])
    inFlight.updateNewest { _ in Issue.record("the newest send is gone, and the older one is not it") }
    #expect(inFlight.released(below: 1) == ["a"])
  }

  @Test("Released sends take no room once the oldest one is released")
  func spanShrinks() {
    let inFlight = TestLedger<Int>()
    for number in 0..<20_000 { inFlight.reserve(number) }
    #expect(inFlight.released { $0 > 0 }.count == 19_999)
    // One slow send holds the slots of all after it.
    #expect(inFlight.outstanding == 0..<20_000)
    #expect(inFlight.released(below: 1) == [0])
    #expect(inFlight.outstanding.isEmpty)
    #expect(inFlight.reserve(-1) == 20_000)
    #expect(inFlight.isInFlight(20_000))
  }

  @Test("What is kept lives until its release, and not longer")
  func lifetimes() {
    final class Memory {}
    weak var first: Memory?
    weak var second: Memory?
    var inFlight = InFlight<Memory>()
    do {
      let memory = (Memory(), Memory())
      (first, second) = memory
      inFlight.reserve(memory.0)
      inFlight.reserve(memory.1)
    }
    #expect(first != nil)
    #expect(second != nil)
    inFlight.releaseOldest(below: 1, while: { _ in true }, { _ in })
    #expect(first == nil)
    #expect(second != nil)
    _ = inFlight.takeBack()
    #expect(second == nil)
  }

  @Test("A ledger that goes away lets go of what it kept")
  func endOfLedger() {
    final class Memory {}
    weak var memory: Memory?
    do {
      var inFlight = InFlight<Memory>()
      let kept = Memory()
      memory = kept
      inFlight.reserve(kept)
      #expect(memory != nil)
    }
    #expect(memory == nil)
  }
}
