internal import CZeroCopy
public import SystemPackage

extension SendBuffer {
  /// Appends bytes. More than `freeCapacity` is a mistake of the program, as for every container of fixed
  /// capacity, and stops it.
  public mutating func append(_ bytes: RawSpan) {
    precondition(
      bytes.byteCount <= freeCapacity, "\(bytes.byteCount) bytes do not fit the \(freeCapacity) free ones")
    // Both are valid for the call, and apart: a span cannot reach into a buffer that is being changed.
    unsafe bytes.withUnsafeBytes { unsafe freeMemory.copyMemory(from: $0) }
    count += bytes.byteCount
  }

  /// As `append` of a raw span.
  public mutating func append(_ bytes: Span<UInt8>) {
    // Bytes of UInt8 are all initialised, which is what `bytes` cannot promise of every type.
    append(unsafe bytes.bytes)
  }

  /// Appends what fits of a collection: one by one where it does not lie in one piece of memory, as an array does.
  /// - Returns: How many bytes were appended; the rest of the collection is left to the caller.
  public mutating func append(contentsOf bytes: some Collection<UInt8>) -> Int {
    let free = unsafe freeMemory
    let fitting = bytes.prefix(freeCapacity)
    // The slot is this buffer's alone, and `fitting` is not longer than what is free of it.
    let copied: Int? = fitting.withContiguousStorageIfAvailable { source in
      // A collection of somebody else's may give more than it was asked for.
      let count = min(source.count, free.count)
      unsafe free.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(source)[..<count]))
      return count
    }
    var appended = copied ?? 0
    if copied == nil {
      for byte in fitting where appended < free.count {
        unsafe free[appended] = byte
        appended += 1
      }
    }
    count += appended
    return appended
  }

  /// Appends what a closure writes, in place.
  ///
  /// What the closure has appended stays also where it throws.
  /// - Parameters:
  ///   - addedCount: The most bytes that the closure may append. More than `freeCapacity` stops the program, as for
  ///     `append` of a span.
  ///   - initialize: Is given a span of so many bytes, none of which is initialised yet.
  public mutating func append<Failure>(
    addingCount addedCount: Int,
    initializingWith initialize: (inout OutputRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(
      (0...freeCapacity).contains(addedCount), "\(addedCount) bytes do not fit the \(freeCapacity) free ones")
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: freeMemory[..<addedCount])
    // The slot is this buffer's alone, and the span does not outlive the closure.
    var span = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
    do throws(Failure) {
      try initialize(&span)
    } catch {
      count += unsafe span.finalize(for: room)
      throw error
    }
    count += unsafe span.finalize(for: room)
  }

  /// Reads once from a file, a pipe or a socket, straight into the buffer.
  ///
  /// Waits as `read` does on that descriptor. The corresponding system call is `read`.
  /// - Parameter most: The most bytes to read; no more than `freeCapacity` in any case.
  /// - Returns: How many bytes were appended; 0 at the end of the file, and where the buffer is full.
  /// - Throws: `.wouldBlock`; `.system` with the errno. Nothing was read then.
  public mutating func append(
    readingFrom descriptor: FileDescriptor, atMost most: Int = .max
  ) throws(ZeroCopyError) -> Int {
    let wanted = min(max(0, most), freeCapacity)
    guard wanted > 0 else { return 0 }
    // The kernel writes no further than `wanted`.
    let result = unsafe czc_read(descriptor.rawValue, freeMemory.baseAddress, wanted)
    guard result >= 0 else {
      let errno = Errno(rawValue: CInt(-result))
      if errno == .resourceTemporarilyUnavailable { throw .wouldBlock }
      throw ZeroCopyError(.system, "reading into a buffer failed", errno: errno, isSocketUsable: true)
    }
    count += Int(result)
    return Int(result)
  }
}
