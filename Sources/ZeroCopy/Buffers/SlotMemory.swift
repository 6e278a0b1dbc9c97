internal import CZeroCopy
internal import Synchronization
internal import SystemPackage

/// The mapped memory of a pool, cut into slots of one size. Which of them is whose is not its business.
@safe struct SlotMemory: ~Copyable, Sendable {
  // Mapped in the initialiser, unmapped in deinit; who may touch a slot is the pool's business.
  private nonisolated(unsafe) let start: UnsafeMutableRawPointer
  /// Bytes of a slot that can be used.
  let slotSize: Int
  /// From one slot's beginning to the next one's.
  private let stride: Int
  /// Of the whole mapping.
  private let length: Int
  /// What was got, which may be less than was asked for.
  let pages: Pages
  /// Whether a slot's pages could not be replaced.
  private let hasHole = Atomic(false)

  /// - Throws: `.invalidArgument`, `.outOfMemory`.
  init(slotSize: Int, count: Int, pages: Pages) throws(ZeroCopyError) {
    guard slotSize > 0, (1...Int(Int32.max)).contains(count) else {
      throw ZeroCopyError(
        .invalidArgument,
        "a pool of \(count) buffers of \(slotSize) bytes; both must be above 0, and the buffers at most \(Int32.max)",
        isSocketUsable: true)
    }
    // In debug builds an inaccessible page follows each slot. Not among huge pages, which it would cut up.
    let guardSize = Self.hasGuards && pages == .standard ? czc_page_size() : 0
    let unit = pages == .reservedHuge ? czc_huge_page_size() : czc_page_size()
    let (rounded, overflow) = slotSize.addingReportingOverflow(unit - 1 + guardSize)
    let stride = rounded / unit * unit
    let (used, overflows) = stride.multipliedReportingOverflow(by: count)
    // Whole huge pages: the part of one would be standard pages.
    let whole = pages == .standard ? 1 : czc_huge_page_size()
    let (wholes, overflowsToo) = used.addingReportingOverflow(whole - 1)
    let length = wholes / whole * whole
    let isCountable = !overflow && !overflows && !overflowsToo
    guard let (memory, kind) = unsafe isCountable ? try Self.map(length, pages) : nil else {
      let available = czc_available_memory()
      throw ZeroCopyError(
        .outOfMemory,
        "a pool of \(count) buffers of \(slotSize) bytes needs more memory than "
          + (available < 0 ? "there is" : "the \(available) bytes that are available") + "; make it smaller",
        errno: .noMemory, isSocketUsable: true)
    }
    unsafe start = memory
    self.slotSize = slotSize
    self.stride = stride
    self.length = length
    self.pages = kind
    if guardSize > 0 {
      for slot in 1...count {
        // The last page of each stride. Without it the pool works as well.
        _ = unsafe czc_protect(memory + slot * stride - guardSize, guardSize, false)
      }
    }
  }

  // Not where a place in it was lost: what is there now may be somebody else's.
  deinit { if !hasHole.load(ordering: .relaxed) { _ = unsafe czc_unmap(start, length) } }

  /// - Returns: Pages of that kind, or of the next kind that there is; `nil` where less memory is available.
  private static func map(
    _ length: Int, _ pages: Pages
  ) throws(ZeroCopyError) -> (UnsafeMutableRawPointer, Pages)? {
    var error: CInt = 0
    // Reserved huge pages are not in what is available, and mapping them says whether there are enough.
    if pages == .reservedHuge {
      if let memory = unsafe czc_map_pages(length, pages.kind, &error) { return unsafe (memory, pages) }
    }
    // The kernel would map more than there is, and end the process when it is written to.
    let available = czc_available_memory()
    guard available < 0 || Int64(length) <= available else { return nil }
    let kind: Pages = pages == .standard ? .standard : .huge
    guard let memory = unsafe czc_map_pages(length, kind.kind, &error) else {
      throw ZeroCopyError(
        .outOfMemory, "no memory for a pool of \(length) bytes; make it smaller",
        errno: Errno(rawValue: error), isSocketUsable: true)
    }
    let isHuge = unsafe kind == .huge && czc_is_huge(memory, length)
    return unsafe (memory, isHuge ? .huge : .standard)
  }

  private static var hasGuards: Bool {
    #if DEBUG
      true
    #else
      false
    #endif
  }

  /// A slot's memory, for whoever the pool has given it to.
  @unsafe func slot(_ index: Int) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: start + index * stride, count: slotSize)
  }

  /// Gives up a slot's pages, which the kernel may still read, and puts fresh ones in their place (rule 26).
  /// - Returns: Whether that was possible; else the slot must not be used again.
  func replace(_ index: Int) -> Bool {
    // Nobody has the slot: what would read its memory is the kernel, and that keeps the old pages.
    let result = unsafe czc_replace_pages(start + index * stride, usedLength, pages.kind)
    if result != 0 { hasHole.store(true, ordering: .relaxed) }
    return result == 0
  }

  /// Makes a slot's memory inaccessible, or accessible again.
  /// - Returns: Whether it was possible; else it is as it was.
  @discardableResult
  func protect(_ index: Int, accessible: Bool) -> Bool {
    // Of a slot that is the caller's: nobody else touches it.
    unsafe czc_protect(start + index * stride, usedLength, accessible) == 0
  }

  /// Whole pages of a slot.
  private var usedLength: Int {
    let unit = pages == .reservedHuge ? czc_huge_page_size() : czc_page_size()
    return (slotSize + unit - 1) / unit * unit
  }
}
