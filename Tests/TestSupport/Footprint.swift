import CTestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What this process holds. Meaningful only where nobody else is at work: in a process of its own.
public struct Footprint: Sendable {
  public let descriptors: Int
  /// In bytes, resident.
  public let memory: Int

  public static func current() throws -> Footprint {
    Footprint(descriptors: try openDescriptors(), memory: try anonymousBytes())
  }

  private static func openDescriptors() throws -> Int {
    let folder = try #require(opendir("/proc/self/fd"))
    defer { closedir(folder) }
    var count = 0
    while let entry = readdir(folder) {
      // Not "." and "..", and not the folder's own, which is there at every look.
      if entry.pointee.d_name.0 != UInt8(ascii: ".") { count += 1 }
    }
    return count - 1
  }

  /// Memory that is no file's, page by page: the kernel's cheaper counts are off by a few hundred pages, and
  /// of files it maps some more now and then.
  private static func anonymousBytes() throws -> Int {
    let file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 4096)
    let count = read(file, &text, text.count)
    let lines = String(decoding: text.prefix(max(0, count)), as: UTF8.self).split(separator: "\n")
    let words = lines.first { $0.hasPrefix("Anonymous:") }?.split(separator: " ")
    return try #require(words.flatMap { $0.count == 3 ? Int($0[1]) : nil }) * 1024
  }
}

/// Whether a sanitizer was built in.
public var isSanitized: Bool { cts_is_sanitized() }

/// Expects that a number of rounds leaves nothing behind. A tenth of it goes before, in which caches fill.
public func expectNothingIsLeft(
  after rounds: Int, _ round: (Int) throws -> Void
) throws {
  // Enough to leak from, whatever the scale of the tests.
  let rounds = max(rounds, 500)
  for number in 0..<rounds / 10 { try round(number) }
  let before = try Footprint.current()
  for number in 0..<rounds { try round(number) }
  let after = try Footprint.current()
  #expect(
    after.descriptors == before.descriptors,
    "open descriptors: \(before.descriptors) before, \(after.descriptors) after")
  // A sanitizer keeps back what was freed.
  if cts_is_sanitized() { return }
  let growth = after.memory - before.memory
  #expect(growth < 128 << 10, "memory has grown by \(growth) bytes")
}
