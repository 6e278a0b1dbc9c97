import CZeroCopy
import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("Segments that cannot be")
struct BadSegmentTests {
  static let badSizes = [0, -1, 65_536, .max, .min]

  @Test(
    "A size that makes no sense is refused by every call, and nothing is sent or lost", arguments: badSizes)
  func sizes(_ size: Int) throws {
    var pair = try Datagrams("127.0.0.1")
    let pool = try BufferPool(bufferSize: 4000, count: 2, pages: .standard)
    let memory = UnsafeRawBufferPointer(pinnedBytes(4000))
    let bytes = [UInt8](repeating: 1, count: 10)
    func expectRefusal(_ failure: ZeroCopyError?) {
      #expect(failure?.code == .invalidArgument)
      #expect(failure?.isSocketUsable == true)
      #expect(failure?.message.contains("\(size)") == true)
    }
    expectRefusal(error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, segmentSize: size) })
    expectRefusal(error { () throws(ZeroCopyError) in try pair.client.writeAll([memory], segmentSize: size) })
    expectRefusal(
      error { () throws(ZeroCopyError) in _ = try pair.client.writeDatagrams([memory], segmentSize: size) })
    expectRefusal(
      error { () throws(ZeroCopyError) in
        try pair.client.writeAndFlush(bytes.span.bytes, timeout: .seconds(1), segmentSize: size)
      })
    let filled = Handoff(try pool.filled())
    expectRefusal(
      error { () throws(ZeroCopyError) in try pair.client.send(filled.take(), segmentSize: size) })
    let other = Handoff(try pool.filled())
    expectRefusal(
      error { () throws(ZeroCopyError) in _ = try pair.client.trySend(other.take(), segmentSize: size) })
    #expect(pool.statistics.free == 2)
    #expect(pair.client.statistics.sends == 0)
    try pair.expectExactIDs()
  }

  @Test("A size that makes no sense makes no socket", arguments: badSizes)
  func sizesOfSockets(_ size: Int) throws {
    let configuration = Configuration(segmentSize: size)
    let failure = error { () throws(ZeroCopyError) in
      _ = try ZeroCopySocket.connect(to: "udp:127.0.0.1:9", configuration: configuration)
    }
    #expect(failure?.code == .invalidArgument)
    #expect(failure?.isSocketUsable == false)
    var socket = try ZeroCopySocket.connect(to: "udp:127.0.0.1:9")
    let descriptor = try socket.relinquish()
    _ = fcntl(descriptor.rawValue, F_SETFD, 0)
    #expect(
      error { () throws(ZeroCopyError) in
        _ = try ZeroCopySocket(adopting: descriptor, configuration: configuration)
      }?.code == .invalidArgument)
    // It is the caller's still, and unchanged.
    #expect(fcntl(descriptor.rawValue, F_GETFD) == 0)
    #expect(czc_segment_size(descriptor.rawValue) == 0)
    try descriptor.close()
  }

  @Test("A stream has no segments", arguments: Family.allCases)
  func streams(_ family: Family) throws {
    var pair = try Connected(family)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for mode in SegmentTests.modes {
      let failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(memory, mode: mode, segmentSize: 100)
      }
      #expect(failure?.code == .invalidArgument)
      #expect(failure?.isSocketUsable == true)
    }
    let failure = error { () throws(ZeroCopyError) in _ = try pair.client.writeDatagrams([memory, memory]) }
    #expect(failure?.code == .invalidArgument)
    try pair.client.writeAll(memory, mode: .copy)
    #expect(try pair.server.read(count: 1000) == Array(memory))
    let configuration = Configuration(segmentSize: 100)
    let listener = error { () throws(ZeroCopyError) in
      _ = try ZeroCopyListener(binding: family.freeEndpoint, configuration: configuration)
    }
    #expect(listener?.code == .invalidArgument)
    let other = try ZeroCopyListener(binding: family.freeEndpoint)
    let address = other.localAddress
    #expect(
      error { () throws(ZeroCopyError) in
        _ = try ZeroCopySocket.connect(to: address, configuration: configuration)
      }?.code == .invalidArgument)
  }

  @Test("A UNIX datagram socket has no segments, and sends several datagrams by copying")
  func unixDatagrams() throws {
    var ends: [CInt] = [0, 0]
    try #require(socketpair(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0, &ends) == 0)
    var sender = try ZeroCopySocket(adopting: FileDescriptor(rawValue: ends[0]))
    var receiver = try ZeroCopySocket(adopting: FileDescriptor(rawValue: ends[1]))
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    let failure = error { () throws(ZeroCopyError) in try sender.writeAll(memory, segmentSize: 100) }
    #expect(failure?.code == .invalidArgument)
    #expect(
      error { () throws(ZeroCopyError) in
        _ = try sender.writeDatagrams([memory], mode: .zeroCopy)
      }?.code == .zeroCopyUnavailable)
    #expect(try sender.writeDatagrams([memory, memory]) == 2)
    for _ in 0..<2 { try receiver.expectDatagram(memory) }
  }

  @Test(
    "More segments than the kernel makes are refused with how many it makes", arguments: SegmentTests.modes)
  func tooMany(_ mode: WriteMode) throws {
    var pair = try Datagrams("127.0.0.1")
    let most = Int(czc_most_segments())
    #expect(most >= 63)
    let memory = UnsafeRawBufferPointer(pinnedBytes(most * 300))
    try pair.client.writeAll(memory, mode: mode, segmentSize: 300)
    try pair.expectSegments(of: memory, 300)
    for _ in 0..<3 {
      let failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(memory, mode: mode, segmentSize: 100)
      }
      #expect(failure?.code == .messageTooLong)
      #expect(failure?.isSocketUsable == true)
      #expect(failure?.message.contains("\(3 * most) segments") == true)
      #expect(failure?.message.contains(", \(most);") == true)
    }
    try pair.expectExactIDs()
  }

  @Test("More bytes than a send may have are refused with how many it may", arguments: SegmentTests.modes)
  func tooLong(_ mode: WriteMode) throws {
    for (host, most) in [("127.0.0.1", 65_507), ("[::1]", 65_527)] {
      var pair = try Datagrams(host)
      let memory = UnsafeRawBufferPointer(pinnedBytes(most + 1))
      let failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(memory, mode: mode, segmentSize: 1400)
      }
      #expect(failure?.code == .messageTooLong)
      #expect(failure?.message.contains("\(most)") == true)
      try pair.expectExactIDs()
    }
  }

  @Test(
    "Without checksums there are no segments", arguments: [("127.0.0.1", SOL_SOCKET, 11), ("[::1]", 17, 101)])
  func noChecksums(_ host: String, _ level: CInt, _ option: CInt) throws {
    var pair = try Datagrams(host)
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    pair.client.setOption(level, option, 1)
    for mode in SegmentTests.modes {
      let failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(memory, mode: mode, segmentSize: 1000)
      }
      #expect(failure?.code == .segmentationUnavailable)
      #expect(failure?.message.contains("checksums are off") == true)
      #expect(pair.client.statistics.inFlight == 0)
    }
    pair.client.setOption(level, option, 0)
    try pair.expectExactIDs()
  }

  @Test(
    "A refusal that took an id releases no later send early, however late it is told (rule 2)",
    arguments: [
      (Errno.ioError, ZeroCopyError.Code.segmentationUnavailable), (.messageTooLong, .messageTooLong),
      (.invalidArgument, .system), (.noBufferSpace, .datagramDropped),
    ])
  func takesID(_ errno: Errno, _ code: ZeroCopyError.Code) throws {
    var pair = try Datagrams("127.0.0.1")
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications { $0.held = 4 }
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    for _ in 0..<10 {
      faults.nextSends([.failureTakingID(errno)])
      let failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(memory, mode: .zeroCopy, segmentSize: 1000)
      }
      #expect(failure?.code == code)
      for _ in 0..<3 {
        try pair.client.writeAll(memory, mode: .zeroCopy, segmentSize: 1000)
        try pair.expectSegments(of: memory, 1000)
      }
      #expect(pair.client.statistics.completed <= faults.counts.reportedIDs)
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == 30)
    try pair.expectExactIDs()
  }
}
