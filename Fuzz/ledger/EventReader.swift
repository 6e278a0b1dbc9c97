/// Takes the events of a history out of a fuzzer's bytes. After the end of the bytes there are zeros.
struct EventReader {
  private var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func byte() -> Int {
    guard let first = rest.first else { return 0 }
    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
    return Int(first)
  }

  /// Two bytes, the low one first.
  mutating func short() -> Int {
    let low = byte()
    return low | byte() << 8
  }

  /// Four bytes, the lowest first.
  mutating func word() -> UInt32 {
    let low = UInt32(short())
    return low | UInt32(short()) << 16
  }
}
