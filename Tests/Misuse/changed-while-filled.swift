import ZeroCopy

private func example(_ pool: BufferPool) {
  guard var buffer = pool.take() else { return }
  #if MISUSE
    // error: overlapping accesses to 'buffer', but modification requires exclusive access
    buffer.append(addingCount: 1) { span in
      buffer.removeAll()
      span.append(1)
    }
  #else
    buffer.removeAll()
    buffer.append(addingCount: 1) { span in span.append(1) }
  #endif
}
