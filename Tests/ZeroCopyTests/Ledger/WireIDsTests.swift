import Testing
import ZeroCopy

@Suite("The kernel's 32-bit ids name the library's sends")
struct WireIDsTests {
  private let top = UInt32.max

  @Test("The ids of a new socket are its send numbers")
  func freshSocket() {
    let ids = TestIDs(next: 0, id: 0)
    #expect(ids.report(0, 0, of: 1) == .new)
    #expect(ids.contiguous == 1)
    #expect(ids.report(1, 3, of: 5) == .new)
    #expect(ids.contiguous == 4)
  }

  @Test("A range that crosses the 32-bit wrap names the sends on both sides")
  func crossingTheWrap() {
    // The ids of sends 0 to 4 are max-1, max, 0, 1, 2.
    for (first, last, lower, upper) in [(top - 1, 2, 0, 5), (top, 0, 1, 3), (0, 2, 2, 5)]
      as [(UInt32, UInt32, UInt64, UInt64)]
    {
      let ids = TestIDs(next: 0, id: top - 1)
      #expect(ids.report(first, last, of: 5) == .new)
      #expect((0..<5).filter(ids.contains) == Array(lower..<upper))
    }
  }

  @Test("A range that ends at the largest id ends there")
  func endingAtTheTop() {
    let ids = TestIDs(next: 0, id: top - 1)
    #expect(ids.report(top - 1, top, of: 4) == .new)
    #expect(ids.contiguous == 2)
  }

  @Test("After many wraps an id still names the send in flight", arguments: [1, 2, 1000, 1 << 30])
  func manyWraps(wraps: UInt64) {
    let start = (wraps << 32) - 3
    let ids = TestIDs(next: start, id: top - 2)
    #expect(ids.report(2, 2, of: start + 5) == .neverIssued)
    #expect(ids.report(0, 0, of: start + 5) == .new)
    #expect(ids.contains(start + 3) && ids.contiguous == start)
    #expect(ids.report(top - 2, 1, of: start + 5) == .new)
    #expect(ids.contiguous == start + 5)
  }

  @Test("What was reported before says nothing new, and is cut off")
  func alreadyReported() {
    let ids = TestIDs(next: 0, id: 0)
    _ = ids.report(0, 9, of: 20)
    #expect(ids.report(3, 9, of: 20) == .alreadyReported)
    #expect(ids.report(3, 11, of: 20) == .new)
    #expect(ids.contiguous == 12)
    // Out of order, and again.
    #expect(ids.report(15, 16, of: 20) == .new)
    #expect(ids.report(15, 16, of: 20) == .alreadyReported)
    #expect(ids.report(16, 16, of: 20) == .alreadyReported)
    #expect(ids.waiting == 2)
  }

  @Test("A reported range that crosses the wrap is recognised after it")
  func alreadyReportedAcrossTheWrap() {
    let ids = TestIDs(next: 0, id: top)
    #expect(ids.report(top, 0, of: 4) == .new)
    #expect(ids.report(top, 0, of: 4) == .alreadyReported)
    #expect(ids.report(top, 1, of: 4) == .new)
    #expect(ids.contiguous == 3)
  }

  @Test("A range with one id that was never issued is not trusted at all")
  func neverIssued() {
    let ids = TestIDs(next: 0, id: 0)
    for (first, last) in [(0, 5), (5, 5), (7, 9)] as [(UInt32, UInt32)] {
      #expect(ids.report(first, last, of: 5) == .neverIssued)
    }
    #expect(ids.contiguous == 0 && ids.waiting == 0)
    #expect(TestIDs(next: 0, id: 0).report(0, 0, of: 0) == .neverIssued)
  }

  @Test("A range of all ids there are is never trusted")
  func fullCircle() {
    let ids = TestIDs(next: 10, id: 10)
    for first in [0, 1, 12, top] as [UInt32] {
      #expect(ids.report(first, first &- 1, of: 20) == .neverIssued)
    }
  }

  @Test("An id from before the first send was never issued")
  func beforeTheFirstSend() {
    let ids = TestIDs(next: 0, id: 0)
    // On a socket that began at 0 these are ids that only a wrap would reach.
    #expect(ids.report(top, 0, of: 1) == .neverIssued)
    #expect(ids.report(top, top, of: 1) == .neverIssued)
    #expect(ids.report(top - 3, 9, of: 20) == .neverIssued)
  }

  @Test("Ranges out of order, merged and overlapping, are counted once, and all of them once the first is in")
  func outOfOrder() {
    let ids = TestIDs(next: 0, id: 0)
    for (first, last, waiting) in [(6, 7, 2), (2, 3, 4), (2, 6, 6), (2, 3, 6), (9, 9, 7), (1, 1, 8)]
      as [(UInt32, UInt32, Int)]
    {
      _ = ids.report(first, last, of: 20)
      #expect(ids.waiting == waiting)
      #expect(ids.contiguous == 0)
    }
    _ = ids.report(0, 0, of: 20)
    #expect(ids.contiguous == 8 && ids.waiting == 1)
    _ = ids.report(8, 8, of: 20)
    #expect(ids.contiguous == 10 && ids.waiting == 0)
  }

  @Test("65,536 ids behind a late one, each apart from the next, take their time only once")
  func manyApart() {
    let ids = TestIDs(next: 0, id: 0)
    for id in stride(from: 1, to: 131_072, by: 2) as StrideTo<UInt32> { _ = ids.report(id, id, of: 200_000) }
    #expect(ids.contiguous == 0 && ids.waiting == 65_536)
    _ = ids.report(0, 131_072, of: 200_000)
    #expect(ids.contiguous == 131_073 && ids.waiting == 0)
  }
}

/// `WireIDs` behind a reference: an expectation cannot call what mutates a value.
private final class TestIDs {
  private var ids: WireIDs

  init(next: UInt64, id: UInt32) { ids = WireIDs(next: next, id: id) }

  var contiguous: UInt64 { ids.reported.contiguous }
  var waiting: Int { ids.reported.beyondCount }
  func contains(_ send: UInt64) -> Bool { ids.reported.contains(send) }

  /// - Parameter next: The number behind the newest send.
  func report(_ first: UInt32, _ last: UInt32, of next: UInt64) -> IDMeaning {
    ids.report(first: first, last: last, next: next)
  }
}
