import ZeroCopy

private func example(_ socket: inout ZeroCopySocket, _ pool: BufferPool) throws {
  #if MISUSE
    // error: 'buffer' consumed in a loop
    guard let buffer = pool.take() else { return }
    for _ in 0..<3 { try socket.send(buffer) }
  #else
    while let buffer = pool.take() { try socket.send(buffer) }
  #endif
}
