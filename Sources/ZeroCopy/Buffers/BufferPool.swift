internal import CZeroCopy
internal import Synchronization

/// A fixed number of buffers of one size, to be filled, sent without copying, and used again once the kernel has
/// let go of them.
///
/// One pool serves many sockets and threads. Its memory is page-aligned and mapped when it is made, and stays until
/// the pool, its buffers and every send of them are gone. A peer that reads nothing may hold all of its buffers: give
/// the sockets a `SendBudget` whose `maximumSendsPerSocket` is well below `count`.
public final class BufferPool: Sendable {
  /// What a pool has done and what it has.
  public struct Statistics: Sendable, Hashable {
    /// Buffers in all.
    public internal(set) var count: Int
    /// Buffers that can be taken now.
    public internal(set) var free: Int
    /// Times that a buffer's pages were given up to the kernel and fresh ones put in their place, because a
    /// connection ended before it had let go of them.
    public internal(set) var quarantined = 0
    /// Buffers lost for good: no fresh pages could be had, or memory in flight could not be made accessible again.
    public internal(set) var lost = 0
  }

  private struct State {
    var free: [Int32]
    var pages: [PageState]
    var statistics: Statistics
  }

  /// A slot's pages since it was taken.
  private enum PageState { case original, replaced, lost }

  private let memory: SlotMemory
  private let owners: OwnerCounts
  private let state: Mutex<State>
  /// Rung when a buffer comes back, for those who wait for one.
  let returns: Bell
  let protectsInFlight: Bool

  /// Maps the memory of a pool, and writes to each page of it at once: all of it is in use from now on.
  ///
  /// With `.huge` and `.reservedHuge` the whole is rounded up to whole huge pages. In debug builds an inaccessible page
  /// follows each buffer of `.standard` pages, and stops who writes behind it.
  ///
  /// - Parameters:
  ///   - bufferSize: Bytes of a buffer, above 0. Each begins at a page of its own, a huge one with `.reservedHuge`:
  ///     what is no multiple of that is rounded up in memory.
  ///   - count: How many buffers, 1 to 2,147,483,647.
  ///   - pages: What kind of pages to ask for. Where there are none, the next kind is taken: `pages` says which.
  ///   - protectingInFlight: For debugging: memory in flight cannot be touched at all, and who tries is ended by
  ///     the system. It costs two system calls a send.
  /// - Throws: `.invalidArgument`; `.outOfMemory`, also where less memory is available than the pool needs.
  ///
  /// The corresponding system calls are `mmap` and `madvise`.
  public init(
    bufferSize: Int, count: Int, pages: Pages = .huge, protectingInFlight: Bool = false
  ) throws(ZeroCopyError) {
    memory = try SlotMemory(slotSize: bufferSize, count: count, pages: pages)
    owners = OwnerCounts(count)
    // The last is taken first: the first to be taken is slot 0.
    state = Mutex(
      State(
        free: (0..<Int32(count)).reversed(), pages: Array(repeating: .original, count: count),
        statistics: Statistics(count: count, free: count)))
    returns = Bell()
    protectsInFlight = protectingInFlight
  }

  /// Bytes of a buffer.
  public var bufferSize: Int { memory.slotSize }

  /// What kind of pages the memory really lay on when it was mapped. What is put in the place of a buffer's pages
  /// (`Statistics.quarantined`) may be standard pages.
  public var pages: Pages { memory.pages }

  /// What the pool has done so far, and what it has now.
  public var statistics: Statistics {
    state.withLock { state in
      var statistics = state.statistics
      statistics.free = state.free.count
      return statistics
    }
  }

  /// Takes an empty buffer, or `nil` where none is free. Never waits; `ZeroCopySocket.buffer(from:timeout:)` does.
  public func take() -> SendBuffer? {
    guard let slot = state.withLock({ $0.free.popLast() }) else { return nil }
    owners.begin(slot)
    return SendBuffer(SlotShare(owning: slot, of: self))
  }

  // MARK: For the shares of a slot

  /// One more owner of a slot.
  func retain(_ slot: Int32) { owners.add(slot) }

  /// One owner less; the last one gives the slot back.
  func release(_ slot: Int32) {
    guard owners.remove(slot) else { return }
    let isAccessible =
      !protectsInFlight || state.withLock({ $0.pages[Int(slot)] == .lost })
      || memory.protect(Int(slot), accessible: true)
    state.withLock { state in
      if !isAccessible {
        state.pages[Int(slot)] = .lost
        state.statistics.lost += 1
      }
      guard state.pages[Int(slot)] != .lost else { return }
      if state.pages[Int(slot)] != .original { state.pages[Int(slot)] = .original }
      state.free.append(slot)
    }
    returns.ring()
  }

  /// The kernel may go on reading a slot, and will not say for how long: what comes back is other memory.
  func quarantine(_ slot: Int32) {
    state.withLock { state in
      // Several sends of one buffer give up the same pages.
      guard state.pages[Int(slot)] == .original else { return }
      if memory.replace(Int(slot)) {
        state.pages[Int(slot)] = .replaced
        state.statistics.quarantined += 1
      } else {
        state.pages[Int(slot)] = .lost
        state.statistics.lost += 1
      }
    }
  }

  func isShared(_ slot: Int32) -> Bool { owners.isShared(slot) }

  /// For debugging: nobody touches a slot that is in flight. For who owns it, and will not send more of it.
  func noteInFlight(_ slot: Int32) {
    if protectsInFlight, owners.isShared(slot) { memory.protect(Int(slot), accessible: false) }
  }

  @unsafe func memory(of slot: Int32) -> UnsafeMutableRawBufferPointer { unsafe memory.slot(Int(slot)) }
}
