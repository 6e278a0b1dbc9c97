import DequeModule

/// What must stay alive for each send in flight, keyed by this library's own 64-bit send number.
///
/// Send numbers start at 0, grow by one and never wrap. A number is reserved before the system call
/// that uses it (rule 7) and either released, when the kernel has let go of the send's memory, or taken
/// back, when the call turned out not to have used it.
///
/// Every call is O(1), amortised over the sends. Memory is bounded by the span from the oldest send in
/// flight to the newest: notifications may come out of order, and a slot waits for those before it.
package struct InFlight<Kept: ~Copyable>: ~Copyable {
  /// One slot a send from `oldest` on; `nil` once released. The first slot is never `nil`.
  private var slots = UniqueDeque<Kept?>()

  /// The oldest send that is not released; `next` where there is none.
  package private(set) var oldest: UInt64 = 0

  /// How many sends are in flight.
  package private(set) var count = 0

  package init() {}

  /// The number that the next send will get.
  package var next: UInt64 { oldest + UInt64(slots.count) }

  /// From the oldest send in flight to the newest; released ones may lie between.
  package var outstanding: Range<UInt64> { oldest..<next }

  /// How many numbers `outstanding` spans, each of which takes memory.
  package var slotCount: Int { slots.count }

  /// Keeps `kept` alive under the next number, which is returned.
  // Inlined, because what is kept is then made in its place.
  @inline(__always)
  @discardableResult
  package mutating func reserve(_ kept: consuming Kept) -> UInt64 {
    let number = next
    slots.append(kept)
    count += 1
    return number
  }

  /// Changes what is kept for the newest send: how much of it was accepted is known after the call.
  package mutating func updateNewest(_ change: (inout Kept) -> Void) {
    guard !slots.isEmpty, var kept = slots[slots.count - 1].take() else { return }
    change(&kept)
    slots[slots.count - 1] = consume kept
  }

  /// Undoes the newest `reserve`, whose call took no id. Its number is given out again.
  /// `nil` where it has been released already.
  package mutating func takeBack() -> Kept? {
    guard !slots.isEmpty, let kept = slots[slots.count - 1].take() else { return nil }
    _ = slots.removeLast()
    count -= 1
    dropReleased()
    return kept
  }

  package func isInFlight(_ number: UInt64) -> Bool {
    guard outstanding.contains(number) else { return false }
    return slots[Int(number - oldest)] != nil
  }

  /// Whether any send from a number on is in flight.
  package func hasAny(from number: UInt64) -> Bool {
    outstanding.clamped(to: number..<max(number, next)).contains { isInFlight($0) }
  }

  /// Whether something is kept for a send in flight that is so.
  package func contains(_ isSo: (borrowing Kept) -> Bool) -> Bool {
    for index in 0..<slots.count where isOccupied(index, isSo) { return true }
    return false
  }

  /// Releases the oldest sends, as long as they are below a number and each is as it has to be.
  /// - Returns: How many were released.
  @discardableResult
  package mutating func releaseOldest(
    below number: UInt64, while mayGo: (borrowing Kept) -> Bool, _ body: (consuming Kept) -> Void
  ) -> Int {
    var released = 0
    let end = min(number, next)
    while oldest < end, isOldest(mayGo) {
      oldest += 1
      guard let kept = slots.removeFirst() else { continue }
      released += 1
      body(kept)
    }
    count -= released
    dropReleased()
    return released
  }

  @inline(__always)
  private func isOldest(_ mayGo: (borrowing Kept) -> Bool) -> Bool {
    switch slots[0] {
    case .some(let kept): mayGo(kept)
    case .none: true
    }
  }

  /// Releases those of all sends that may go, oldest first; the others stay.
  /// - Returns: How many were released.
  @discardableResult
  package mutating func release(
    where mayGo: (borrowing Kept) -> Bool, _ body: (consuming Kept) -> Void
  ) -> Int {
    var released = 0
    for index in 0..<slots.count where isOccupied(index, mayGo) {
      guard let kept = slots[index].take() else { continue }
      released += 1
      body(kept)
    }
    count -= released
    dropReleased()
    return released
  }

  private func isOccupied(_ index: Int, _ isSo: (borrowing Kept) -> Bool) -> Bool {
    switch slots[index] {
    case .some(let kept): isSo(kept)
    case .none: false
    }
  }

  private mutating func dropReleased() {
    while !slots.isEmpty, slots[0] == nil {
      _ = slots.removeFirst()
      oldest += 1
    }
    // A burst's memory is given back, but only where it is large beside what is left: a steady
    // stream of sends allocates nothing.
    if slots.capacity > 4096, slots.count < slots.capacity / 8 {
      slots.reallocate(capacity: slots.capacity / 2)
    }
  }
}

extension InFlight: Sendable where Kept: Sendable & ~Copyable {}
