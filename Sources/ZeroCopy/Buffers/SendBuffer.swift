/// A buffer of a pool: filled, read back, and sent, which consumes it. Using it after that does not compile.
///
/// It may be filled on one thread and sent on another, but not used by two at once. A buffer that goes out of scope
/// without being sent returns to its pool. What it held before is never readable.
public struct SendBuffer: ~Copyable, Sendable {
  var share: SlotShare

  /// Bytes that are filled, from the beginning.
  public internal(set) var count = 0

  init(_ share: consuming SlotShare) { self.share = share }

  /// Bytes that it holds at most.
  public var capacity: Int { share.pool.bufferSize }

  /// Bytes that can still be appended.
  public var freeCapacity: Int { capacity - count }

  /// Whether nothing is filled.
  public var isEmpty: Bool { count == 0 }

  /// What is filled.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      // The slot is this buffer's alone, and its first `count` bytes are initialised.
      let filled = unsafe UnsafeRawBufferPointer(rebasing: memory[..<count])
      return unsafe _overrideLifetime(RawSpan(_unsafeBytes: filled), borrowing: self)
    }
  }

  /// Makes it empty.
  public mutating func removeAll() { count = 0 }

  /// All of the slot.
  @unsafe var memory: UnsafeMutableRawBufferPointer { unsafe share.pool.memory(of: share.slot) }

  /// What is free, behind what is filled.
  @unsafe var freeMemory: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(rebasing: memory[count...])
  }
}
