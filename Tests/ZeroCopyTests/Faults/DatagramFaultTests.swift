import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("Faults of datagrams")
struct DatagramFaultTests {
  @Test(
    "A failed send that took an id releases no later one early, however late its own is told (rule 2)",
    arguments: [Errno.invalidArgument, .messageTooLong, .noBufferSpace], [0, 5])
  func failureTakingID(_ errno: Errno, _ held: Int) throws {
    var pair = try Datagrams("127.0.0.1")
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications { $0.held = held }
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for _ in 0..<20 {
      faults.nextSends([.failureTakingID(errno)])
      let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
      #expect(failure?.errno == errno)
      #expect(failure?.isSocketUsable == true)
      for _ in 0..<3 {
        try pair.client.writeAll(memory, mode: .zeroCopy)
        try pair.server.expectDatagram(memory)
      }
      #expect(pair.client.statistics.completed - pair.client.statistics.settled <= faults.counts.reportedIDs)
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == 60)
    #expect(pair.client.statistics.unknownNotifications == 0)
    #expect(pair.client.statistics.settled == 0)
  }

  @Test(
    "A failed send that took no id is told from one that did",
    arguments: [
      Errno.invalidArgument, .messageTooLong, .noBufferSpace, .badAddress, .connectionRefused, .ioError,
    ])
  func failureWithoutID(_ errno: Errno) throws {
    var pair = try Datagrams("[::1]")
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for _ in 0..<20 {
      // With nothing to drain a shortage is not tried again.
      try pair.client.flush(timeout: .seconds(10))
      faults.failSends(with: errno)
      #expect(
        error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }?.errno
          == errno)
      try pair.client.writeAll(memory, mode: .zeroCopy)
      try pair.server.expectDatagram(memory)
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == 20)
    #expect(pair.client.statistics.unknownNotifications == 0)
    #expect(pair.client.statistics.settled == 0)
  }

  @Test("A datagram that was dropped is told as such, and automatic mode sends it once more by copying")
  func dropped() throws {
    var pair = try Datagrams("127.0.0.1")
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = UnsafeRawBufferPointer(pinnedBytes(50_000))
    faults.nextSends([.failureTakingID(.noBufferSpace)])
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }?.code
        == .datagramDropped)
    faults.nextSends([.failureTakingID(.noBufferSpace)])
    try pair.client.writeAll(memory, mode: .automatic)
    try pair.server.expectDatagram(memory)
    #expect(pair.client.statistics.fallbacks == 1)
    // The copy is dropped as well: then there is nothing left to try.
    faults.nextSends([.failureTakingID(.noBufferSpace), .failure(.noBufferSpace)])
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .automatic) }
    #expect(failure?.code == .datagramDropped)
    #expect(failure?.isSocketUsable == true)
    try pair.client.writeAll(memory, mode: .automatic)
    try pair.server.expectDatagram(memory)
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 1)
    pair.server.setBlocking(false)
    #expect(error { () throws(ZeroCopyError) in try pair.server.readOneByte() }?.code == .wouldBlock)
  }
}
