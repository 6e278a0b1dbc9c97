import ZeroCopy

private func example(_ pool: BufferPool) throws {
  // error: 'socket' used after consume
  var socket = try ZeroCopySocket.connect(to: "localhost:9000")
  #if MISUSE
    var other = socket
    try other.finishWriting()
  #endif
  try socket.finishWriting()
}
