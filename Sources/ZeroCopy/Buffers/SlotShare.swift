/// One owner of a slot of a pool. The slot is free again when the last one has gone.
struct SlotShare: ~Copyable, Sendable {
  let pool: BufferPool
  let slot: Int32

  /// Takes over an ownership that the pool has counted.
  init(owning slot: Int32, of pool: BufferPool) {
    self.slot = slot
    self.pool = pool
  }

  deinit { pool.release(slot) }

  /// One more owner.
  func another() -> SlotShare {
    pool.retain(slot)
    return SlotShare(owning: slot, of: pool)
  }

  /// Whether a send of it is in flight, for the owner that is its buffer.
  var isShared: Bool { pool.isShared(slot) }

  /// Nothing more is read from the memory but by the kernel.
  func noteInFlight() { pool.noteInFlight(slot) }

  /// Ends this ownership although the kernel may still read the memory.
  consuming func quarantine() { pool.quarantine(slot) }
}
