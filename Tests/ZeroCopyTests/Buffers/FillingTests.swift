import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("Filling a buffer")
struct FillingTests {
  private func buffer(_ size: Int = 4096) throws -> SendBuffer {
    try BufferPool(bufferSize: size, count: 1, pages: .standard).scribbled()
  }

  @Test("Spans and collections of every kind go behind each other, and are read back")
  func appends() throws {
    var buffer = try buffer()
    let array: [UInt8] = [1, 2, 3]
    buffer.append(array.span)
    let numbers: [UInt16] = [0x0504, 0x0706]
    buffer.append(numbers.span.bytes)
    #expect(buffer.append(contentsOf: array.lazy.map { $0 + 7 }) == 3)
    #expect(buffer.append(contentsOf: [UInt8]()) == 0)
    #expect(buffer.append(contentsOf: "æ".utf8) == 2)
    #expect(buffer.contents == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xC3, 0xA6])
    #expect(buffer.count == 12)
    #expect(buffer.freeCapacity == 4084)
    buffer.removeAll()
    buffer.append(array.span)
    #expect(buffer.contents == [1, 2, 3])
  }

  @Test("Of a collection it takes what fits, and says how much", arguments: [true, false])
  func takesWhatFits(_ isContiguous: Bool) throws {
    var buffer = try buffer(10)
    let bytes = [UInt8](0..<16)
    let taken =
      isContiguous ? buffer.append(contentsOf: bytes) : buffer.append(contentsOf: bytes.lazy.map { $0 })
    #expect(taken == 10)
    #expect(buffer.contents == Array(0..<10))
    #expect(buffer.append(contentsOf: bytes[taken...]) == 0)
    #expect(buffer.freeCapacity == 0)
  }

  @Test("In place: what the closure appends counts, and no more")
  func inPlace() throws {
    var buffer = try buffer()
    _ = buffer.append(contentsOf: [9])
    buffer.append(addingCount: 100) { span in
      #expect(span.byteCount == 0)
      #expect(span.freeCapacity == 100)
      for byte in 0..<5 { span.append(UInt8(byte), as: UInt8.self) }
    }
    buffer.append(addingCount: 0) { span in #expect(span.freeCapacity == 0) }
    buffer.append(addingCount: buffer.freeCapacity) { _ in }
    #expect(buffer.contents == [9, 0, 1, 2, 3, 4])
  }

  @Test("In place: what was appended before the closure threw stays")
  func inPlaceThrowing() throws {
    struct Sorry: Error {}
    var buffer = try buffer()
    do throws(Sorry) {
      try buffer.append(addingCount: 100) { (span) throws(Sorry) in
        span.append(1, as: UInt8.self)
        span.append(2, as: UInt8.self)
        throw Sorry()
      }
      Issue.record("it did not throw")
    } catch {}
    #expect(buffer.contents == [1, 2])
  }

  @Test("From a pipe: what there is, as much as fits, no more than asked for, and 0 at its end")
  func fromAPipe() throws {
    var buffer = try buffer(10)
    let pipe = try FileDescriptor.pipe()
    defer { try? pipe.readEnd.close() }
    try pipe.writeEnd.writeAll([UInt8](0..<12))
    #expect(try buffer.append(readingFrom: pipe.readEnd, atMost: 3) == 3)
    #expect(try buffer.append(readingFrom: pipe.readEnd, atMost: 0) == 0)
    #expect(try buffer.append(readingFrom: pipe.readEnd, atMost: -1) == 0)
    #expect(try buffer.append(readingFrom: pipe.readEnd) == 7)
    // Full: nothing is asked of the pipe, which would wait once it is empty.
    #expect(try buffer.append(readingFrom: pipe.readEnd) == 0)
    #expect(buffer.contents == Array(0..<10))
    buffer.removeAll()
    #expect(try buffer.append(readingFrom: pipe.readEnd) == 2)
    try pipe.writeEnd.close()
    #expect(try buffer.append(readingFrom: pipe.readEnd) == 0)
    #expect(buffer.contents == [10, 11])
  }

  @Test("From a descriptor that has nothing now, and from one that cannot be read: nothing is appended")
  func fromOthers() throws {
    var buffer = try buffer()
    _ = buffer.append(contentsOf: [1])
    let pipe = try FileDescriptor.pipe()
    defer {
      try? pipe.readEnd.close()
      try? pipe.writeEnd.close()
    }
    _ = fcntl(pipe.readEnd.rawValue, F_SETFL, O_NONBLOCK)
    func failure(_ descriptor: FileDescriptor) -> ZeroCopyError? {
      error { () throws(ZeroCopyError) in _ = try buffer.append(readingFrom: descriptor) }
    }
    #expect(failure(pipe.readEnd)?.code == .wouldBlock)
    #expect(failure(pipe.writeEnd)?.errno == .badFileDescriptor)
    #expect(failure(FileDescriptor(rawValue: -1))?.code == .system)
    #expect(buffer.contents == [1])
  }

  @Test("A span that does not fit stops the program")
  func spanOverflow() async {
    await #expect(processExitsWith: .failure) {
      var buffer = try BufferPool(bufferSize: 10, count: 1, pages: .standard).scribbled()
      let bytes = [UInt8](repeating: 1, count: 11)
      buffer.append(bytes.span)
    }
    await #expect(processExitsWith: .success) {
      var buffer = try BufferPool(bufferSize: 10, count: 1, pages: .standard).scribbled()
      let bytes = [UInt8](repeating: 1, count: 10)
      buffer.append(bytes.span)
    }
  }

  @Test("Asking for more room than is free, or for less than none, stops the program")
  func roomOverflow() async {
    await #expect(processExitsWith: .failure) {
      var buffer = try BufferPool(bufferSize: 10, count: 1, pages: .standard).scribbled()
      buffer.append(addingCount: 11) { _ in }
    }
    await #expect(processExitsWith: .failure) {
      var buffer = try BufferPool(bufferSize: 10, count: 1, pages: .standard).scribbled()
      buffer.append(addingCount: -1) { _ in }
    }
  }
}
