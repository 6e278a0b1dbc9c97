import ZeroCopy

private func example(_ pool: BufferPool) -> Int {
  guard var buffer = pool.take() else { return 0 }
  #if MISUSE
    // error: lifetime-dependent variable 'kept' escapes its scope
    var kept = RawSpan()
    buffer.append(addingCount: 1) { span in
      span.append(1)
      kept = span.bytes
    }
    return kept.byteCount
  #else
    var kept = 0
    buffer.append(addingCount: 1) { span in
      span.append(1)
      kept = span.byteCount
    }
    return kept
  #endif
}
