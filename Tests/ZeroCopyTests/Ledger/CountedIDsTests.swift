import Testing
import ZeroCopy

@Suite("A send that takes an unknown number of ids is held until all of them are reported")
struct CountedIDsTests {
  @Test("A send is held, whatever is reported, until somebody has counted")
  func heldUntilCounted() {
    let ids = TestCount()
    ids.sent()
    ids.report(first: 0, last: 3)
    #expect(ids.takeReleased() == 0)
    #expect(ids.held == 1)
    #expect(ids.settle(total: 4))
    #expect(ids.takeReleased() == 1)
    #expect(ids.held == 0)
  }

  @Test("A counted send is held until its last id is reported")
  func heldUntilReported() {
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 4))
    ids.report(first: 0, last: 2)
    #expect(ids.takeReleased() == 0)
    ids.report(first: 3, last: 3)
    #expect(ids.takeReleased() == 1)
    #expect(ids.takeReleased() == 0)
  }

  @Test("A gap holds every send above it")
  func gap() {
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 2))
    ids.sent()
    #expect(ids.settle(total: 4))
    ids.report(first: 1, last: 3)
    #expect(ids.contiguous == 0)
    #expect(ids.takeReleased() == 0)
    ids.report(first: 0, last: 0)
    #expect(ids.contiguous == 4)
    #expect(ids.takeReleased() == 2)
  }

  @Test("Sends that were counted together are released together")
  func countedTogether() {
    let ids = TestCount()
    ids.sent()
    ids.sent()
    #expect(ids.settle(total: 5))
    // Which of the two the first four ids belong to, nobody knows.
    ids.report(first: 0, last: 3)
    #expect(ids.takeReleased() == 0)
    ids.report(first: 4, last: 4)
    #expect(ids.takeReleased() == 2)
  }

  @Test("Shuffled, overlapping and repeated ranges count once")
  func shuffledRanges() {
    let ids = TestCount()
    ids.sent()
    for (first, last) in [(6, 7), (2, 3), (2, 6), (2, 3), (9, 9), (0, 0)] as [(UInt32, UInt32)] {
      ids.report(first: first, last: last)
    }
    #expect(ids.contiguous == 1)
    ids.report(first: 1, last: 1)
    #expect(ids.contiguous == 8)
    ids.report(first: 0, last: 7)
    #expect(ids.contiguous == 8)
    ids.report(first: 8, last: 8)
    #expect(ids.contiguous == 10)
  }

  @Test("Ids go on growing where the kernel's wrap at 32 bits")
  func wrap() {
    let ids = TestCount()
    ids.sent()
    // Steps of 2^30, as far as a range reaches from what is known.
    let step: UInt64 = 1 << 30
    for part in 0..<9 as Range<UInt64> {
      ids.report(
        first: UInt32(truncatingIfNeeded: part * step),
        last: UInt32(truncatingIfNeeded: (part + 1) * step - 1))
      #expect(ids.contiguous == (part + 1) * step)
    }
    #expect(ids.settle(total: 9 * step + 2))
    #expect(ids.takeReleased() == 0)
    ids.report(first: UInt32(truncatingIfNeeded: 9 * step), last: UInt32(truncatingIfNeeded: 9 * step + 1))
    #expect(ids.takeReleased() == 1)
  }

  @Test("A range that crosses the wrap ends above it")
  func rangeAcrossTheWrap() {
    let ids = TestCount()
    ids.sent()
    for part in 0..<4 as Range<UInt32> {
      ids.report(first: part << 30, last: (part << 30) + (part == 3 ? (1 << 30) - 3 : (1 << 30) - 1))
    }
    #expect(ids.contiguous == (1 << 32) - 2)
    ids.report(first: UInt32.max - 1, last: 0)
    #expect(ids.contiguous == (1 << 32) + 1)
  }

  @Test("A count below what was reported settles nothing")
  func contradictions() {
    let ids = TestCount()
    ids.sent()
    ids.report(first: 4, last: 4)
    #expect(!ids.settle(total: 4))
    #expect(ids.settle(total: 5))
    ids.sent()
    ids.report(first: 0, last: 9)
    #expect(!ids.settle(total: 9))
    // The second send has not been counted.
    #expect(ids.takeReleased() == 1)
    #expect(ids.held == 1)
  }

  @Test("A count that was one too many is put right by the next, and holds nothing for ever")
  func corrected() {
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 2))
    ids.report(first: 0, last: 0)
    #expect(ids.takeReleased() == 0)
    ids.sent()
    #expect(ids.settle(unreported: 1))
    #expect(ids.issued == 2)
    #expect(ids.takeReleased() == 0)
    #expect(ids.settle(total: 2))
    ids.report(first: 1, last: 1)
    #expect(ids.takeReleased() == 2)
  }

  @Test("What is not reported counts behind what is, gaps and all")
  func unreported() {
    let ids = TestCount()
    for _ in 0..<3 { ids.sent() }
    ids.report(first: 0, last: 1)
    ids.report(first: 4, last: 4)
    // 2 and 3 are in flight: 5 in all; with one block in use an id is lost.
    #expect(!ids.settle(unreported: 1))
    #expect(ids.settle(unreported: 2))
    #expect(ids.issued == 5)
    ids.report(first: 2, last: 3)
    #expect(ids.takeReleased() == 3)
  }

  @Test("Each count divides: what was sent before it does not wait for what was sent after it")
  func divided() {
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 1))
    ids.sent()
    #expect(ids.settle(total: 3))
    ids.report(first: 0, last: 0)
    #expect(ids.takeReleased() == 1)
    ids.report(first: 1, last: 1)
    #expect(ids.takeReleased() == 0)
    ids.report(first: 2, last: 2)
    #expect(ids.takeReleased() == 1)
  }

  @Test("A send that was not accepted is not held")
  func takeBack() {
    let ids = TestCount()
    ids.sent()
    ids.sent()
    ids.takeBack()
    #expect(ids.held == 1)
    #expect(ids.settle(total: 1))
    ids.report(first: 0, last: 0)
    #expect(ids.takeReleased() == 1)
  }

  @Test("A send that was not accepted is not held, also where it was counted meanwhile")
  func takeBackAfterCount() {
    // A send that failed for want of memory makes one drain and count before it is taken back.
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 0))
    ids.takeBack()
    #expect(ids.held == 0)
    ids.sent()
    // Were the first one still held, it would be released now, and the caller would take it for this one.
    #expect(ids.takeReleased() == 0)
  }

  @Test("Ids that were never issued release nothing, where all sends are counted")
  func neverIssued() {
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 2))
    // Nothing was sent since the count, so that there can be no id but 0 and 1.
    ids.report(first: 0, last: 5)
    #expect(ids.takeReleased() == 0)
  }

  @Test("Ids from before the first send release nothing")
  func beforeTheFirstSend() {
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 2))
    ids.report(first: UInt32.max, last: 1)
    #expect(ids.takeReleased() == 0)
  }

  @Test("A count above what was issued releases nothing early")
  func overcount() {
    // A count that erred on the high side, say by a block that was merged since, only holds longer.
    let ids = TestCount()
    ids.sent()
    #expect(ids.settle(total: 3))
    ids.report(first: 0, last: 1)
    #expect(ids.takeReleased() == 0)
  }
}

/// `CountedIDs` behind a reference, with the sends that it holds: an expectation cannot call what mutates a value.
private final class TestCount {
  private var ids = CountedIDs(next: 0, id: 0)
  private var next: UInt64 = 0
  private var done: UInt64 = 0

  var contiguous: UInt64 { ids.reported.contiguous }
  var issued: UInt64 { ids.issued }
  var held: Int { Int(next - done) }

  func sent() { next += 1 }
  func takeBack() {
    next -= 1
    ids.takeBack(next: next)
  }
  @discardableResult
  func report(first: UInt32, last: UInt32) -> IDMeaning { ids.report(first: first, last: last, next: next) }
  func settle(total: UInt64) -> Bool { ids.count(total: total, next: next) }
  func settle(unreported: Int) -> Bool { ids.count(unreported: unreported, next: next) }
  func takeReleased() -> Int {
    guard ids.done > done else { return 0 }
    defer { done = ids.done }
    return Int(ids.done - done)
  }
}
