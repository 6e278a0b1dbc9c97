import ZeroCopy

private func example(_ pool: BufferPool) -> Int {
  guard var buffer = pool.take() else { return 0 }
  #if MISUSE
    let bytes = buffer.bytes
    // error: overlapping accesses to 'buffer', but modification requires exclusive access
    buffer.removeAll()
    return bytes.byteCount
  #else
    let count = buffer.bytes.byteCount
    buffer.removeAll()
    return count
  #endif
}
