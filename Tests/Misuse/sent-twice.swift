import ZeroCopy

private func example(_ socket: inout ZeroCopySocket, _ other: inout ZeroCopySocket, _ pool: BufferPool) throws
{
  // error: 'buffer' consumed more than once
  guard let buffer = pool.take() else { return }
  try socket.send(buffer)
  #if MISUSE
    try other.send(buffer)
  #else
    if let second = pool.take() { try other.send(second) }
  #endif
}
