import ZeroCopy

extension ZeroCopySocket {
  /// Reads at most one byte.
  /// - Returns: How many came: 0 at the end of the stream.
  @discardableResult
  public mutating func readOneByte() throws(ZeroCopyError) -> Int {
    var byte: [UInt8] = [0]
    var span = byte.mutableSpan
    return try read(into: &span)
  }

  /// A thread that waits for one byte in a reader of this socket.
  /// - Returns: The code of the error that ended its wait; `nil` where a byte or the end of the stream did.
  public func waitingReader() throws(ZeroCopyError) -> Background<ZeroCopyError.Code?> {
    let reader = Handoff(try reader())
    return Background {
      var reader = reader.take()
      return error { () throws(ZeroCopyError) in try reader.readOneByte() }?.code
    }
  }
}

extension SocketReader {
  /// As `ZeroCopySocket.readOneByte()`.
  @discardableResult
  public mutating func readOneByte() throws(ZeroCopyError) -> Int {
    var byte: [UInt8] = [0]
    var span = byte.mutableSpan
    return try read(into: &span)
  }
}
