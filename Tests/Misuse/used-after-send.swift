import ZeroCopy

private func example(_ socket: inout ZeroCopySocket, _ pool: BufferPool) throws {
  // error: 'buffer' used after consume
  guard var buffer = pool.take() else { return }
  buffer.append([1, 2, 3].span)
  try socket.send(buffer)
  #if MISUSE
    buffer.removeAll()
  #endif
}
