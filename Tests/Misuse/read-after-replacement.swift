import ZeroCopy

private final class Holder {
  var buffer: SendBuffer
  init(_ buffer: consuming SendBuffer) { self.buffer = buffer }
}

private func example(_ holder: Holder, _ next: consuming SendBuffer) -> Int {
  #if MISUSE
    // error: lifetime-dependent variable 'bytes' escapes its scope
    let bytes = holder.buffer.bytes
    holder.buffer = next
    return bytes.byteCount
  #else
    let count = holder.buffer.bytes.byteCount
    holder.buffer = next
    return count
  #endif
}
