internal import Synchronization

/// How many owners each slot of a pool has: its buffer, and every send of it that is in flight.
@safe struct OwnerCounts: ~Copyable, Sendable {
  // Allocated in the initialiser, freed in deinit; nothing but atomic operations in between.
  private nonisolated(unsafe) let counts: UnsafeMutablePointer<Atomic<Int32>>

  init(_ count: Int) {
    unsafe counts = .allocate(capacity: count)
    for slot in 0..<count { unsafe (counts + slot).initialize(to: Atomic(0)) }
  }

  deinit { unsafe counts.deallocate() }

  /// The first owner. Whoever takes a slot has it alone.
  func begin(_ slot: Int32) { unsafe counts[Int(slot)].store(1, ordering: .relaxed) }

  /// Another owner, made by one that is there.
  func add(_ slot: Int32) { unsafe _ = counts[Int(slot)].wrappingAdd(1, ordering: .relaxed) }

  /// - Returns: Whether it was the last.
  func remove(_ slot: Int32) -> Bool {
    // What one owner has done to the memory happens before what the slot's next taker does.
    unsafe counts[Int(slot)].wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0
  }

  func isShared(_ slot: Int32) -> Bool { unsafe counts[Int(slot)].load(ordering: .relaxed) > 1 }
}
