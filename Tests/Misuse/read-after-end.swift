import ZeroCopy

private func example(_ pool: BufferPool) -> Int {
  // error: lifetime-dependent variable 'bytes' escapes its scope
  var bytes = RawSpan()
  #if MISUSE
    do {
      guard let buffer = pool.take() else { return 0 }
      bytes = buffer.bytes
    }
  #else
    guard let buffer = pool.take() else { return 0 }
    bytes = buffer.bytes
  #endif
  return bytes.byteCount
}
