internal import CZeroCopy

/// The bytes of a large piece: a page. To pin less than that costs more than to copy it.
private let largePiece = 4096

/// Several pieces of memory in one write, small ones among large ones.
@unsafe struct Mix {
  let pieces: Pieces
  /// Of the large ones.
  let largeByteCount: Int

  /// `nil` where all are small, or all are large.
  init?(_ pieces: Pieces) {
    guard let start = unsafe pieces.start else { return nil }
    var largeByteCount = 0
    var hasSmall = false
    // Within the pieces, whose count is given.
    for index in unsafe 0..<Int(pieces.count) {
      let length = unsafe start[index].length
      if length >= largePiece { largeByteCount += length } else { hasSmall = true }
    }
    guard hasSmall, largeByteCount > 0 else { return nil }
    unsafe self.pieces = unsafe pieces
    unsafe self.largeByteCount = largeByteCount
  }

  /// The next pieces that are all small or all large.
  func run(from index: Int) -> (run: Pieces, isLarge: Bool) {
    // Only made of pieces that have memory.
    guard let start = unsafe pieces.start else { return unsafe (pieces, false) }
    let isLarge = unsafe start[index].length >= largePiece
    var end = index
    var byteCount = 0
    while unsafe end < pieces.count, unsafe (start[end].length >= largePiece) == isLarge {
      unsafe byteCount += start[end].length
      end += 1
    }
    return unsafe (Pieces(start: start + index, count: CInt(end - index), byteCount: byteCount), isLarge)
  }
}

extension Connection {
  /// Sends the small pieces by copying them and the large ones without, in order, and in as few packets as one call
  /// would make: each but the last is held back for the next one (MSG_MORE).
  /// - Returns: The bytes accepted. Where a later piece is refused these are fewer, and the next call tells why.
  @inline(never)
  mutating func writeMixed(_ mix: Mix, _ waiting: Waiting) throws(ZeroCopyError) -> Int {
    var accepted = 0
    var next = 0
    defer { moreFlag = 0 }
    do throws(ZeroCopyError) {
      while unsafe next < mix.pieces.count {
        let (run, isLarge) = unsafe mix.run(from: next)
        unsafe next += Int(run.count)
        moreFlag = unsafe next < mix.pieces.count ? CInt(CZC_SEND_MORE) : 0
        let count = unsafe try write(run, zeroCopy: isLarge, .automatic, waiting)
        accepted += count
        if unsafe count < run.byteCount { break }
      }
    } catch {
      // The end of a connection is told once.
      guard accepted > 0, error.isSocketUsable else { throw error.adding(bytesAccepted: accepted) }
    }
    // What was accepted goes out even where nothing follows it.
    if unsafe accepted < mix.pieces.byteCount { _ = czc_uncork(number) }
    return accepted
  }
}
