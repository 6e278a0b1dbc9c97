import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// That the library's own system calls go through the seam: else every other test here shows nothing.
@Suite("The seam for faults")
struct SeamTests {
  @Test("A fault that is planned for a descriptor reaches the library's send, once")
  func sendFails() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.failSends(with: .ioError)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
    #expect(failure?.errno == .ioError)
    #expect(faults.counts.failedSends == 1)
    try pair.client.writeAll(memory, mode: .zeroCopy)
    #expect(try pair.server.read(count: 1000) == Array(memory))
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 1)
    #expect(faults.counts.zeroCopySends == 1)
    #expect(faults.counts.reportedIDs == 1)
  }

  @Test("A short send is short for the kernel too")
  func sendIsShort() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(7)])
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    #expect(try pair.client.writev(memory, mode: .zeroCopy) == 7)
    try pair.client.finishWriting()
    #expect(try pair.server.readToEnd() == Array(memory[..<7]))
  }

  @Test("Other descriptors are left alone")
  func others() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.server.fileDescriptor)
    faults.sends { _, _ in .failure(.ioError) }
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 1)
    #expect(faults.counts.failedSends == 0)
  }

  @Test("Faults end when their descriptor is closed: its number is soon somebody else's")
  func closed() throws {
    var pair = try Connected()
    var faults: Faults? = try Faults(on: pair.client.fileDescriptor)
    weak let remembered = faults
    faults = nil
    #expect(remembered != nil)
    try pair.client.close(timeout: .seconds(10))
    #expect(remembered == nil)
  }

  @Test("Notifications go through it, and what it holds back is not at rest (rule 31)")
  func notifications() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications {
      $0.held = 1000
      $0.beforeReturn = true
    }
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    #expect(faults.counts.reportedIDs == 1)
    #expect(try pair.client.reap() == 0)
    #expect(pair.client.statistics.inFlight == 1)
    faults.calm()
    #expect(try pair.client.reap() == 1)
    #expect(pair.client.statistics.settled == 0)
  }
}
