import ZeroCopy

#if MISUSE
  // error: 'buffer' is borrowed and cannot be consumed
  private func example(_ socket: inout ZeroCopySocket, _ buffer: borrowing SendBuffer) throws {
    try socket.send(buffer)
  }
#else
  private func example(_ socket: inout ZeroCopySocket, _ buffer: consuming SendBuffer) throws {
    try socket.send(buffer)
  }
#endif
