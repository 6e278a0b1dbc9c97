import CZeroCopy
import DequeModule
import SystemPackage
import ZeroCopy

/// The memory that is sent: the same bytes on each kind of pages, each of its pieces beginning at a page.
final class BenchMemory {
  /// A pool has so many buffers at least: with fewer a sender would stand still where it need not.
  static let fewestBuffers = 8

  let pieces: CallersMemory
  let pool: PoolMemory?
  let hugePool: PoolMemory?

  /// - Throws: `.outOfMemory`.
  init(size: Int, span: Span, for subjects: [Subject]) throws {
    pieces = try CallersMemory(size: size, span: span.bytes)
    func pool(_ memory: Subject.Memory, _ pages: Pages) throws -> PoolMemory? {
      guard subjects.contains(where: { $0.memory == memory && !$0.isPlain }) else { return nil }
      return try PoolMemory(size: size, count: Self.bufferCount(size, span), pages: pages)
    }
    self.pool = try pool(.pool, .standard)
    hugePool = try pool(.hugePool, .huge)
  }

  static func bufferCount(_ size: Int, _ span: Span) -> Int {
    max(fewestBuffers, span.bytes / CallersMemory.stride(size))
  }
}

/// Memory that is nobody's but the caller's.
@safe final class CallersMemory {
  private let start: UnsafeMutableRawPointer
  private let length: Int
  private let size: Int
  private let stride: Int
  private var next = 0

  static func stride(_ size: Int) -> Int {
    let page = czc_page_size()
    return (size + page - 1) / page * page
  }

  init(size: Int, span: Int) throws {
    self.size = size
    stride = Self.stride(size)
    length = max(1, span / stride) * stride
    let available = czc_available_memory()
    guard available < 0 || Int64(length) <= available else {
      throw Failure(
        "not enough memory: \(formatted(bytes: length)) are needed and \(formatted(bytes: Int(available))) are there"
      )
    }
    var error: CInt = 0
    // A mapping of `length` bytes of zeros, its pages present, unmapped in deinit.
    guard let start = unsafe czc_map_pages(length, CInt(CZC_PAGES_STANDARD), &error) else {
      throw Failure(
        "not enough memory: \(formatted(bytes: length)) cannot be had (\(Errno(rawValue: error)))")
    }
    unsafe self.start = start
  }

  // Pages in flight stay with the kernel, whatever becomes of the mapping.
  deinit { _ = unsafe czc_unmap(start, length) }

  /// The piece whose turn it is. Nobody writes to it, so that it may be in flight already.
  @unsafe @inline(__always)
  func take() -> UnsafeRawBufferPointer {
    let piece = unsafe UnsafeRawBufferPointer(start: start + next, count: size)
    next += stride
    if next == length { next = 0 }
    return unsafe piece
  }
}

/// A pool's buffers, taken in turn, so that the memory is as cold as its size makes it.
final class PoolMemory {
  let pool: BufferPool
  private let size: Int
  private var ready: UniqueDeque<SendBuffer>

  init(size: Int, count: Int, pages: Pages) throws {
    pool = try BufferPool(bufferSize: size, count: count, pages: pages)
    self.size = size
    ready = UniqueDeque(minimumCapacity: count)
    while let buffer = pool.take() { ready.append(buffer) }
  }

  /// The buffer that came back longest ago, marked as filled: what is measured is sending, and not filling.
  @inline(__always)
  func take(_ socket: inout ZeroCopySocket) throws(ZeroCopyError) -> SendBuffer {
    if ready.isEmpty {
      // The pool gives out first what came back last.
      while let buffer = pool.take() { ready.prepend(buffer) }
      if ready.isEmpty { ready.append(try socket.buffer(from: pool, timeout: .seconds(60))) }
    }
    var buffer = ready.removeFirst()
    buffer.append(addingCount: size) { span in
      // Its pages came with zeros in them, and nobody else has the memory.
      unsafe span.withUnsafeMutableBytes { _, initializedCount in initializedCount = size }
    }
    return buffer
  }
}
