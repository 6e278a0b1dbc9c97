import Glibc
import TestSupport

/// A folder that is gone, with its files, when the body has ended.
func withFolder<Result>(_ body: (Folder) throws -> Result) throws -> Result {
  let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array("\(parent)/zerocopy-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw SystemFailure(call: "mkdtemp", errno: errno) }
  let folder = Folder(
    path: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
  defer { folder.remove() }
  return try body(folder)
}

struct Folder: Sendable {
  let path: String

  /// The path of a file in the folder, which need not exist.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file. Answers its path.
  func make(_ name: String, _ bytes: [UInt8]) throws -> String {
    let descriptor = try checked(open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600), "open")
    defer { close(descriptor) }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
      written += Int(try checked(CInt(clamping: count), "write"))
    }
    return file(name)
  }

  /// Makes a file of zeros that takes no room. Answers its path.
  func makeSparse(_ name: String, size: Int) throws -> String {
    _ = try make(name, [])
    _ = try checked(truncate(file(name), size), "truncate")
    return file(name)
  }

  fileprivate func remove() {
    if let entries = opendir(path) {
      while let entry = readdir(entries) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        unlink(file(name))
      }
      closedir(entries)
    }
    rmdir(path)
  }
}

/// The bytes of a file.
func contents(of path: String) throws -> [UInt8] {
  let descriptor = try checked(open(path, O_RDONLY | O_CLOEXEC), "open \(path)")
  defer { close(descriptor) }
  return try readToEnd(descriptor)
}

/// Reads to the end of a file or a connection.
func readToEnd(_ descriptor: CInt) throws -> [UInt8] {
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 18)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    if count < 0, errno == EINTR { continue }
    if count < 0 { throw SystemFailure(call: "read", errno: errno) }
    if count == 0 { return all }
    all += buffer[..<count]
  }
}
