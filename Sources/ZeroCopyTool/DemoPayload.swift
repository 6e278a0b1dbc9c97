import CZeroCopy
import SystemPackage
import ZeroCopy

/// What the demo sends and compares with: a file of the user's, or one that it makes in memory.
final class Payload: Sendable {
  private let file: MappedFile

  var name: String { file.name }
  var size: Int { file.size }

  init(file name: String?, size: Int) throws {
    guard let name else {
      file = try MappedFile(Payload.generate(size), name: "generated data", size: size)
      return
    }
    let (input, length) = try openInput(name)
    guard let length else {
      try input.close()
      throw Failure("'\(name)' is no regular file; the demo needs one that it can read twice")
    }
    file = try MappedFile(input, name: name, size: length)
  }

  /// Bytes that no two places share, so that a mistake in order shows as well.
  private static func generate(_ size: Int) throws -> FileDescriptor {
    let result = czc_memory_file()
    guard result >= 0 else {
      throw Failure("no memory to generate data in (\(Errno(rawValue: -result))); name a FILE")
    }
    let descriptor = FileDescriptor(rawValue: result)
    var state: UInt64 = 1
    var words = [UInt64](repeating: 0, count: 1 << 17)
    var written = 0
    while written < size {
      for index in words.indices {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        words[index] = state
      }
      let left = size - written
      written += try unsafe words.withUnsafeBytes { bytes in
        try unsafe descriptor.writeAll(UnsafeRawBufferPointer(rebasing: bytes.prefix(left)))
      }
    }
    return descriptor
  }

  /// Sends all of it, ends the stream, and waits until the memory is free.
  /// - Returns: What went wrong; the connection is aborted then.
  func send(through socket: inout ZeroCopySocket, _ way: Way) -> String? {
    do {
      switch way {
      case .copy: try sendMapping(through: &socket, .copy, piece: Mode.copy.chunkSize)
      case .zeroCopy: try sendMapping(through: &socket, .zeroCopy, piece: Mode.zeroCopy.chunkSize)
      case .pool: try sendBuffers(through: &socket)
      }
      try socket.finishWriting()
      try socket.flush(timeout: .seconds(30))
      return nil
    } catch {
      socket.abort()
      return "\(error)"
    }
  }

  private func sendMapping(
    through socket: inout ZeroCopySocket, _ mode: WriteMode, piece: Int
  ) throws(ZeroCopyError) {
    var sent = 0
    while sent < size {
      let end = min(sent + piece, size)
      // Nobody writes to the mapping, and nothing is in flight when `send` returns.
      try unsafe socket.writeAll(UnsafeRawBufferPointer(rebasing: file.bytes[sent..<end]), mode: mode)
      sent = end
    }
  }

  /// By way of buffers that come back: as a program sends what it has just made.
  private func sendBuffers(through socket: inout ZeroCopySocket) throws(ZeroCopyError) {
    let pool = try BufferPool(bufferSize: Mode.zeroCopy.chunkSize, count: 16, pages: .huge)
    var sent = 0
    while sent < size {
      var buffer = try socket.buffer(from: pool, timeout: .seconds(30))
      let end = min(sent + buffer.capacity, size)
      // Nobody writes to the mapping.
      unsafe buffer.append(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: file.bytes[sent..<end])))
      try socket.send(buffer, mode: .zeroCopy)
      sent = end
    }
  }

  /// How many of the received bytes are those of the file from `offset` on.
  ///
  /// Reads the file, and leaves the mapping alone: one that shrinks is a short read then, and no SIGBUS.
  func equalBytes(_ received: [UInt8], at offset: Int) throws -> Int {
    var wanted = [UInt8](repeating: 0, count: received.count)
    var filled = 0
    while filled < wanted.count {
      let count = try unsafe wanted.withUnsafeMutableBytes { bytes in
        try unsafe file.read(
          at: offset + filled, into: UnsafeMutableRawBufferPointer(rebasing: bytes[filled...]))
      }
      if count == 0 { break }
      filled += count
    }
    // Both arrays have this many bytes.
    if filled == received.count, unsafe czc_equal(received, wanted, filled) == 1 { return filled }
    return zip(received, wanted.prefix(filled)).prefix { $0 == $1 }.count
  }
}
