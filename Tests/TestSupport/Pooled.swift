import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What pooled memory holds that nobody has filled: at a receiver it says that a buffer was released too early.
public let scribble: UInt8 = 0xDB

/// No buffer was free where a test counts on one.
public struct NoBufferIsFree: Error {
  public init() {}
}

extension BufferPool {
  /// An empty buffer, whose memory was scribbled over.
  public func scribbled() throws -> SendBuffer {
    guard var buffer = take() else { throw NoBufferIsFree() }
    buffer.scribble()
    return buffer
  }

  /// A buffer that holds the pattern from an offset on: so many bytes, or as many as it takes.
  public func filled(_ count: Int? = nil, from offset: Int = 0, _ pattern: Pattern = Pattern()) throws
    -> SendBuffer
  {
    var buffer = try scribbled()
    buffer.append(count ?? bufferSize, of: pattern, from: offset)
    return buffer
  }

  /// Takes every buffer that is free, scribbles over it and gives it back.
  /// - Returns: How many there were.
  @discardableResult
  public func scribbleOverAllFree() -> Int {
    guard var buffer = take() else { return 0 }
    buffer.scribble()
    // Held until the others are taken as well.
    return 1 + scribbleOverAllFree()
  }
}

extension ZeroCopySocket {
  /// As `BufferPool.filled`, and waits for a buffer.
  public mutating func filled(
    from pool: BufferPool, _ count: Int, at offset: Int, timeout: Duration = .seconds(10)
  ) throws -> SendBuffer {
    var buffer = try buffer(from: pool, timeout: timeout)
    buffer.scribble()
    buffer.append(count, of: Pattern(), from: offset)
    return buffer
  }
}

extension SendBuffer {
  /// Writes over all of its memory, and is empty then.
  public mutating func scribble() {
    removeAll()
    append(addingCount: capacity) { span in
      span.withUnsafeMutableBytes { memory, count in
        memset(memory.baseAddress!, CInt(TestSupport.scribble), memory.count)
        count = memory.count
      }
    }
    removeAll()
  }

  /// Appends bytes of a pattern.
  public mutating func append(_ count: Int, of pattern: Pattern, from offset: Int) {
    append(addingCount: count) { span in
      span.withUnsafeMutableBytes { memory, filled in
        pattern.fill(memory, from: offset)
        filled = memory.count
      }
    }
  }

  /// A copy of what is filled.
  public var contents: [UInt8] { bytes.withUnsafeBytes { Array($0) } }
}

extension Optional where Wrapped == SendBuffer {
  /// Whether there is none: for expectations, which take no noncopyable value.
  public var isNone: Bool {
    switch self {
    case .some: false
    case .none: true
    }
  }
}
