import ArgumentParser
import CZeroCopy
import SystemPackage

/// A file mapped for reading, so that it can be sent without ever being read.
///
/// What the peer receives is what the file holds while it is sent: bytes that somebody changes meanwhile
/// may arrive old or new. The tool itself never touches the mapping, so that a file that shrinks is an
/// error of the send (EFAULT) and not a SIGBUS.
@safe struct MappedFile: ~Copyable {
  let name: String
  /// Not to be read through: see above.
  let bytes: UnsafeRawBufferPointer
  let size: Int
  private let descriptor: FileDescriptor

  /// Opens and maps a regular file that is not empty. Closes the descriptor in the end, or where this
  /// throws.
  init(_ descriptor: FileDescriptor, name: String, size: Int) throws {
    guard size > 0 else {
      try descriptor.close()
      throw Failure("'\(name)' is empty: there is nothing to send")
    }
    var error: CInt = 0
    // A shared mapping of `size` bytes, unmapped in deinit.
    guard let start = unsafe czc_map_file(descriptor.rawValue, size, &error) else {
      try descriptor.close()
      throw Failure("'\(name)' cannot be mapped (\(Errno(rawValue: error)))")
    }
    self.name = name
    self.size = size
    self.descriptor = descriptor
    unsafe bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  /// Throws where the file has become shorter since: zeros, or nothing, were sent for what is gone.
  func checkSize() throws {
    guard czc_file_size(descriptor.rawValue) < Int64(size) else { return }
    throw Failure("'\(name)' became shorter while it was sent: what arrived is not the file")
  }

  /// pread(2): what the file holds, without the mapping.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try unsafe descriptor.read(fromAbsoluteOffset: Int64(offset), into: buffer)
  }

  deinit {
    // Pages in flight stay with the kernel, whatever becomes of the mapping (rule 26).
    _ = unsafe czc_unmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), size)
    try? descriptor.close()
  }
}

// The mapping is read-only, and its address does not change.
extension MappedFile: @unchecked Sendable {}

/// Opens a file for reading, and says its size where it has one.
func openInput(_ name: String) throws -> (descriptor: FileDescriptor, size: Int?) {
  let descriptor: FileDescriptor
  do {
    descriptor = try FileDescriptor.open(FilePath(name), .readOnly, options: .closeOnExec)
  } catch {
    throw Failure("cannot open '\(name)' (\(error)); check the name and its permissions")
  }
  let size = czc_file_size(descriptor.rawValue)
  if size >= 0 { return (descriptor, Int(size)) }
  let errno = Errno(rawValue: CInt(-size))
  if errno == .illegalSeek { return (descriptor, nil) }
  try descriptor.close()
  throw Failure(
    errno == .isDirectory
      ? "'\(name)' is a directory; send a file, or the output of tar" : "cannot read '\(name)' (\(errno))")
}
