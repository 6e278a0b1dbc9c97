import CZeroCopy
import SystemPackage
import ZeroCopy

/// A fixed set of buffers that are sent one after the other, and refilled only once the kernel has let
/// go of them: memory is bounded, however long the input is.
@safe struct BufferRotation: ~Copyable {
  private let memory: UnsafeMutableRawBufferPointer
  private let bufferSize: Int
  /// For each buffer, the number behind its last send.
  private var releasedBefore: [UInt64]
  private var turn = 0

  init(bufferSize: Int, count: Int) throws {
    var error: CInt = 0
    // Unmapped in deinit.
    guard let start = unsafe czc_map_memory(bufferSize * count, &error) else {
      throw Failure("no memory for \(count) buffers of \(bufferSize) bytes (\(Errno(rawValue: error)))")
    }
    unsafe memory = UnsafeMutableRawBufferPointer(start: start, count: bufferSize * count)
    self.bufferSize = bufferSize
    releasedBefore = Array(repeating: 0, count: count)
  }

  /// Waits for the next buffer, fills it from `input`, and sends it.
  /// - Returns: The bytes sent; 0 at the end of the input.
  mutating func sendNext(
    from input: FileDescriptor, through socket: inout ZeroCopySocket, mode: WriteMode, timeout: Duration
  ) throws -> Int {
    try socket.waitForRelease(before: releasedBefore[turn], timeout: timeout)
    let first = turn * bufferSize
    let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[first..<first + bufferSize])
    var filled = 0
    while filled < bufferSize {
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
      let count = try unsafe input.read(into: rest)
      if count == 0 { break }
      filled += count
    }
    guard filled > 0 else { return 0 }
    let full = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<filled])
    // The buffer is not touched again before `waitForRelease` has returned for it.
    try unsafe socket.writeAll(full, mode: mode)
    releasedBefore[turn] = socket.nextSend
    turn = (turn + 1) % releasedBefore.count
    return filled
  }

  deinit {
    // Given up, not reused: what is in flight stays as it is (rule 26).
    _ = unsafe czc_unmap(memory.baseAddress, memory.count)
  }
}
