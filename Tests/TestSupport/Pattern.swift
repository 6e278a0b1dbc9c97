#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The bytes of a stream: which of them belongs at an offset does not depend on how it was sent, and bytes
/// that belong elsewhere differ.
public struct Pattern: Sendable {
  // Prime, so that no buffer's size is a multiple.
  private static let period = 1_048_583
  private nonisolated(unsafe) static let table = UnsafeRawPointer(pinnedBytes(period).baseAddress!)

  /// What a stream's first byte is taken from.
  private let phase: Int

  public init(phase: Int = 0) { self.phase = phase }

  public func fill(_ memory: UnsafeMutableRawBufferPointer, from offset: Int) {
    forEachRun(memory.count, from: offset) { position, count, expected in
      memcpy(memory.baseAddress! + position, expected, count)
    }
  }

  /// - Returns: Where in `memory` the first byte is that does not belong there.
  public func firstFault(in memory: UnsafeRawBufferPointer, at offset: Int) -> Int? {
    var fault: Int?
    forEachRun(memory.count, from: offset) { position, count, expected in
      let actual = memory.baseAddress! + position
      guard fault == nil, memcmp(actual, expected, count) != 0 else { return }
      fault = (0..<count).first {
        actual.load(fromByteOffset: $0, as: UInt8.self)
          != expected.load(fromByteOffset: $0, as: UInt8.self)
      }.map { position + $0 }
    }
    return fault
  }

  private func forEachRun(
    _ count: Int, from offset: Int, _ body: (_ position: Int, _ count: Int, _ bytes: UnsafeRawPointer) -> Void
  ) {
    var position = 0
    while position < count {
      let start = (phase + offset + position) % Self.period
      let run = min(count - position, Self.period - start)
      body(position, run, Self.table + start)
      position += run
    }
  }
}
