import CZeroCopy
import SystemPackage

/// uname(2)'s release.
func kernelRelease() -> String {
  // C writes at most `capacity` bytes and says how many.
  unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
    let count = unsafe czc_kernel_release(buffer.baseAddress, buffer.count)
    guard count > 0 else { return "unknown" }
    return unsafe String(decoding: UnsafeRawBufferPointer(buffer)[..<Int(count)], as: UTF8.self)
  }
}

/// What is in a file of the system, at most a MiB of it.
func contents(of path: String) -> String? {
  guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else {
    return nil
  }
  defer { try? file.close() }
  var text: [UInt8] = []
  var bytes = [UInt8](repeating: 0, count: 1 << 16)
  while text.count < 1 << 20 {
    guard let count = try? unsafe bytes.withUnsafeMutableBytes({ try unsafe file.read(into: $0) }) else {
      return nil
    }
    if count == 0 { break }
    text += bytes[..<count]
  }
  // Small files of /proc and /sys end with a new line.
  return String(decoding: text.last == 10 ? text.dropLast() : text[...], as: UTF8.self)
}
