import Testing
import ZeroCopy

/// `InFlight` behind a reference: an expectation copies what it looks at, which a noncopyable value
/// does not allow.
final class TestLedger<Kept> {
  private var inFlight = InFlight<Kept>()

  init(keeping values: [Kept] = []) {
    for value in values { inFlight.reserve(value) }
  }

  var next: UInt64 { inFlight.next }
  var count: Int { inFlight.count }
  var outstanding: Range<UInt64> { inFlight.outstanding }

  @discardableResult
  func reserve(_ kept: Kept) -> UInt64 { inFlight.reserve(kept) }
  func takeBack() -> Kept? { inFlight.takeBack() }
  func isInFlight(_ number: UInt64) -> Bool { inFlight.isInFlight(number) }
  func updateNewest(_ change: (inout Kept) -> Void) { inFlight.updateNewest(change) }

  /// What was kept for the sends that a range released, in the order of release.
  func released(_ range: Range<UInt64>) -> [Kept] {
    var values: [Kept] = []
    let count = inFlight.release(range) { values.append($0) }
    #expect(count == values.count, "as many as were handed out")
    return values
  }
}
