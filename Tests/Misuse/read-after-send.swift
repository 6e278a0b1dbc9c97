import ZeroCopy

private func example(_ socket: inout ZeroCopySocket, _ pool: BufferPool) throws -> Int {
  guard var buffer = pool.take() else { return 0 }
  buffer.append([1, 2, 3].span)
  #if MISUSE
    let bytes = buffer.bytes
    // error: overlapping accesses to 'buffer', but deinitialization requires exclusive access
    try socket.send(buffer)
    return bytes.byteCount
  #else
    let count = buffer.bytes.byteCount
    try socket.send(buffer)
    return count
  #endif
}
