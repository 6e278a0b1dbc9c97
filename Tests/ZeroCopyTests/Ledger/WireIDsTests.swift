import Testing
import ZeroCopy

@Suite("The kernel's 32-bit ids name the library's sends")
struct WireIDsTests {
  private let top = UInt32.max

  @Test("The ids of a new socket are its send numbers")
  func freshSocket() {
    let ids = TestIDs(base: 0)
    #expect(ids.meaning(first: 0, last: 0, outstanding: 0..<1) == .sends(0..<1))
    #expect(ids.meaning(first: 1, last: 3, outstanding: 1..<5) == .sends(1..<4))
  }

  @Test("A range that crosses the 32-bit wrap names the sends on both sides")
  func crossingTheWrap() {
    let ids = TestIDs(base: top - 1)
    // The ids of sends 0 to 4 are max-1, max, 0, 1, 2.
    #expect(ids.meaning(first: top - 1, last: 2, outstanding: 0..<5) == .sends(0..<5))
    #expect(ids.meaning(first: top, last: 0, outstanding: 0..<5) == .sends(1..<3))
    #expect(ids.meaning(first: 0, last: 2, outstanding: 0..<5) == .sends(2..<5))
  }

  @Test("A range that ends at the largest id ends there")
  func endingAtTheTop() {
    let ids = TestIDs(base: top - 1)
    #expect(ids.meaning(first: top - 1, last: top, outstanding: 0..<4) == .sends(0..<2))
    #expect(ids.meaning(first: top, last: top, outstanding: 0..<4) == .sends(1..<2))
  }

  @Test("After many wraps an id still names the send in flight", arguments: [1, 2, 1000, 1 << 30])
  func manyWraps(wraps: UInt64) {
    let start = (wraps << 32) - 3
    let ids = TestIDs(base: 0)
    #expect(
      ids.meaning(first: top - 2, last: 1, outstanding: start..<start + 5) == .sends(start..<start + 5))
    #expect(ids.meaning(first: 0, last: 0, outstanding: start..<start + 5) == .sends(start + 3..<start + 4))
    #expect(ids.meaning(first: 2, last: 2, outstanding: start..<start + 5) == .neverIssued)
  }

  @Test("Sends that are already released are cut off, or all that there is")
  func alreadyReleased() {
    let ids = TestIDs(base: 0)
    #expect(ids.meaning(first: 3, last: 11, outstanding: 10..<20) == .sends(10..<12))
    #expect(ids.meaning(first: 3, last: 9, outstanding: 10..<20) == .alreadyReleased)
    #expect(ids.meaning(first: 0, last: 9, outstanding: 10..<10) == .alreadyReleased)
  }

  @Test("A released range that crosses the wrap is recognised after it")
  func alreadyReleasedAcrossTheWrap() {
    let ids = TestIDs(base: top)
    #expect(ids.meaning(first: top, last: 0, outstanding: 2..<4) == .alreadyReleased)
    #expect(ids.meaning(first: top, last: 1, outstanding: 2..<4) == .sends(2..<3))
  }

  @Test("A range with one id that was never issued is not trusted at all")
  func neverIssued() {
    let ids = TestIDs(base: 0)
    #expect(ids.meaning(first: 0, last: 5, outstanding: 0..<5) == .neverIssued)
    #expect(ids.meaning(first: 5, last: 5, outstanding: 0..<5) == .neverIssued)
    #expect(ids.meaning(first: 7, last: 9, outstanding: 0..<5) == .neverIssued)
    #expect(ids.meaning(first: 0, last: 0, outstanding: 0..<0) == .neverIssued)
  }

  @Test("A range of all ids there are is never trusted")
  func fullCircle() {
    let ids = TestIDs(base: 0)
    for first in [0, 1, 12, top] as [UInt32] {
      #expect(ids.meaning(first: first, last: first &- 1, outstanding: 10..<20) == .neverIssued)
    }
  }

  @Test("An id from before the first send was never issued")
  func beforeTheFirstSend() {
    let ids = TestIDs(base: 0)
    // On a socket that began at 0 these are ids that only a wrap would reach.
    #expect(ids.meaning(first: top, last: 0, outstanding: 0..<1) == .neverIssued)
    #expect(ids.meaning(first: top, last: top, outstanding: 0..<1) == .neverIssued)
    #expect(ids.meaning(first: top - 3, last: 9, outstanding: 5..<20) == .neverIssued)
  }

  @Test("An adopted socket learns its base from the first send, which is alone in flight")
  func learntBase() {
    let ids = TestIDs(base: nil)
    #expect(ids.base == nil)
    #expect(ids.meaning(first: 77, last: 77, outstanding: 0..<1) == .sends(0..<1))
    #expect(ids.base == 77)
    #expect(ids.meaning(first: 78, last: 79, outstanding: 1..<4) == .sends(1..<3))
    #expect(ids.meaning(first: 77, last: 77, outstanding: 1..<4) == .alreadyReleased)
    #expect(ids.meaning(first: 80, last: 81, outstanding: 1..<4) == .neverIssued)
  }

  @Test("A base learnt at the largest id wraps with the next send")
  func learntBaseAtTheTop() {
    let ids = TestIDs(base: nil)
    #expect(ids.meaning(first: top, last: top, outstanding: 0..<1) == .sends(0..<1))
    #expect(ids.meaning(first: 0, last: 0, outstanding: 1..<2) == .sends(1..<2))
  }

  @Test("A base learnt late is still that of send 0")
  func learntBaseAfterCopies() {
    let ids = TestIDs(base: nil)
    #expect(ids.meaning(first: 2, last: 2, outstanding: 5..<6) == .sends(5..<6))
    #expect(ids.base == top - 2)
    #expect(ids.meaning(first: 3, last: 3, outstanding: 6..<7) == .sends(6..<7))
  }

  @Test("Nothing is learnt, nor trusted, while no or several sends are in flight")
  func notLearnt() {
    let ids = TestIDs(base: nil)
    #expect(ids.meaning(first: 7, last: 7, outstanding: 0..<0) == .neverIssued)
    #expect(ids.meaning(first: 7, last: 7, outstanding: 0..<2) == .neverIssued)
    #expect(ids.base == nil)
  }
}

/// `WireIDs` behind a reference: an expectation cannot call what mutates a value.
private final class TestIDs {
  private var ids: WireIDs

  init(base: UInt32?) { ids = WireIDs(base: base) }

  var base: UInt32? { ids.base }

  func meaning(first: UInt32, last: UInt32, outstanding: Range<UInt64>) -> WireIDs.Meaning {
    ids.meaning(first: first, last: last, outstanding: outstanding)
  }
}
