import ZeroCopy

private func example(_ socket: inout ZeroCopySocket, _ memory: UnsafeRawBufferPointer) throws {
  #if MISUSE
    // error: expression uses unsafe constructs but is not marked with 'unsafe'
    try socket.writeAll(memory, mode: .zeroCopy)
  #else
    // Nobody changes or frees it before the flush.
    try unsafe socket.writeAll(memory, mode: .zeroCopy)
  #endif
  try socket.flush(timeout: .seconds(5))
}
