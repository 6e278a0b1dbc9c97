import ZeroCopy

private func example(_ pool: BufferPool) {
  guard var buffer = pool.take(), let other = pool.take() else { return }
  #if MISUSE
    // error: overlapping accesses to 'buffer', but modification requires exclusive access
    buffer.append(buffer.bytes)
  #else
    buffer.append(other.bytes)
  #endif
}
