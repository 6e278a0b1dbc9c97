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
  func hasAny(from number: UInt64) -> Bool { inFlight.hasAny(from: number) }
  func updateNewest(_ change: (inout Kept) -> Void) { inFlight.updateNewest(change) }

  /// What was kept for the oldest sends that may go, in the order of release.
  func released(below number: UInt64, while mayGo: (Kept) -> Bool = { _ in true }) -> [Kept] {
    var values: [Kept] = []
    let count = inFlight.releaseOldest(below: number, while: { mayGo(copy $0) }, { values.append($0) })
    #expect(count == values.count, "as many as were handed out")
    return values
  }

  /// The same of all that may go, wherever they are.
  func released(where mayGo: (Kept) -> Bool) -> [Kept] {
    var values: [Kept] = []
    let count = inFlight.release(where: { mayGo(copy $0) }, { values.append($0) })
    #expect(count == values.count, "as many as were handed out")
    return values
  }
}
