import ZeroCopy

private func example(_ socket: inout ZeroCopySocket, _ pool: BufferPool) throws {
  guard let buffer = pool.take() else { return }
  #if MISUSE
    // Where the socket is full the buffer would be dropped with what it holds.
    // error: result of call to 'trySend(_:mode:)' is unused
    try socket.trySend(buffer)
  #else
    var pending: SendBuffer? = consume buffer
    while let unsent = pending.take() { pending = try socket.trySend(unsent) }
  #endif
}
