import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

extension ZeroCopySocket {
  /// Sends all datagrams, with as many calls as it takes.
  mutating func writeAllDatagrams(
    _ datagrams: [UnsafeRawBufferPointer], mode: WriteMode? = nil, segmentSize: Int? = nil
  ) throws(ZeroCopyError) {
    var done = 0
    while done < datagrams.count {
      done += try writeDatagrams(Array(datagrams[done...]), mode: mode, segmentSize: segmentSize)
    }
  }
}

@Suite("Several datagrams in one call")
struct SeveralDatagramsTests {
  /// So many, of these sizes in turn.
  private func datagrams(_ count: Int, _ sizes: [Int] = [1000]) -> [UnsafeRawBufferPointer] {
    (0..<count).map { UnsafeRawBufferPointer(pinnedBytes(sizes[$0 % sizes.count], seed: UInt64($0))) }
  }

  @Test("Each arrives whole and in order", arguments: DatagramTests.hosts, SegmentTests.modes)
  func arrive(_ host: String, _ mode: WriteMode) throws {
    var pair = try Datagrams.ready(host)
    let all = datagrams(8, [1, 40_000, 0, 1400])
    #expect(try pair.client.writeDatagrams(all, mode: mode) == 8)
    for datagram in all { try pair.server.expectDatagram(datagram) }
    try pair.client.flush(timeout: .seconds(10))
    let statistics = pair.client.statistics
    #expect(statistics.sends == 1 + 8)
    #expect(statistics.bytes == 1000 + 2 * 41_401)
    #expect(statistics.completed == statistics.zeroCopySends)
    #expect(statistics.completed == 1 + (mode == .zeroCopy ? 8 : 0))
    try pair.expectExactIDs()
  }

  @Test("More than one system call takes go in several", arguments: [WriteMode.zeroCopy, .copy])
  func many(_ mode: WriteMode) throws {
    var pair = try Datagrams.ready()
    pair.server.setOption(SOL_SOCKET, SO_RCVBUF, 1 << 20)
    let all = datagrams(300, [10])
    #expect(try pair.client.writeDatagrams(all, mode: mode) == 300)
    if mode == .copy {
      for datagram in all { try pair.server.expectDatagram(datagram) }
    } else {
      // Each takes a page of the receiver's room: some kernels drop a few there.
      pair.server.setBlocking(false)
      while (try? pair.server.read(count: 10)) != nil {}
      pair.server.setBlocking(true)
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == 1 + (mode == .copy ? 0 : 300))
    try pair.expectExactIDs()
  }

  @Test("One that fails behind as many as a system call takes is told by the next call")
  func failsInTheSecondCall() throws {
    var pair = try Datagrams.ready()
    pair.server.setOption(SOL_SOCKET, SO_RCVBUF, 1 << 20)
    let faults = try Faults(on: pair.client.fileDescriptor, earlierSends: 1)
    let all = datagrams(260, [10])
    faults.nextSends(Array(repeating: .none, count: 256) + [.failureTakingID(.invalidArgument)])
    #expect(try pair.client.writeDatagrams(all, mode: .copy) == 256)
    #expect(faults.counts.failedSends == 1)
    faults.failSends(with: .invalidArgument)
    #expect(
      error { () throws(ZeroCopyError) in
        _ = try pair.client.writeDatagrams(Array(all[256...]), mode: .copy)
      }?.errno == .invalidArgument)
    #expect(try pair.client.writeDatagrams(Array(all[256...]), mode: .copy) == 4)
    for datagram in all { try pair.server.expectDatagram(datagram) }
    try pair.expectExactIDs()
  }

  @Test("None are none")
  func none() throws {
    var pair = try Datagrams.ready()
    #expect(try pair.client.writeDatagrams([]) == 0)
    #expect(pair.client.statistics.sends == 1)
  }

  @Test("Each is cut into segments, and confirmed once", arguments: SegmentTests.modes)
  func segments(_ mode: WriteMode) throws {
    var pair = try Datagrams.ready()
    let all = datagrams(5, [3000, 10_000, 900])
    #expect(try pair.client.writeDatagrams(all, mode: mode, segmentSize: 1000) == 5)
    for datagram in all { try pair.expectSegments(of: datagram, 1000) }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == 1 + (mode == .zeroCopy ? 5 : 0))
    try pair.expectExactIDs()
  }

  @Test(
    "One that the kernel refuses ends the call, and is told by the next: it took no id, or one",
    arguments: [(70_000, nil), (40_000, 10)] as [(Int, Int?)], [WriteMode.zeroCopy, .copy])
  func refused(_ bad: (size: Int, segment: Int?), _ mode: WriteMode) throws {
    var pair = try Datagrams.ready()
    let all = datagrams(5, [100, 100, bad.size, 100, 100])
    for _ in 0..<5 {
      #expect(try pair.client.writeDatagrams(all, mode: mode, segmentSize: bad.segment) == 2)
      #expect(
        error { () throws(ZeroCopyError) in
          _ = try pair.client.writeDatagrams(Array(all[2...]), mode: mode, segmentSize: bad.segment)
        }?.code == .messageTooLong)
      #expect(try pair.client.writeDatagrams(Array(all[3...]), mode: mode, segmentSize: bad.segment) == 2)
      for index in [0, 1, 3, 4] { try pair.expectSegments(of: all[index], bad.segment ?? .max) }
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.sends == 1 + 20)
    #expect(pair.client.statistics.completed == 1 + (mode == .zeroCopy ? 20 : 0))
    try pair.expectExactIDs()
  }

  @Test(
    "Wherever one fails, and whether it takes an id, no other is released early (rules 2 and 4)",
    arguments: [
      Errno.messageTooLong, .invalidArgument, .noBufferSpace, .resourceTemporarilyUnavailable, .ioError,
    ],
    [0, 1, 4])
  func failures(_ errno: Errno, _ place: Int) throws {
    for takesID in errno == .resourceTemporarilyUnavailable ? [false] : [true, false] {
      var pair = try Datagrams.ready()
      let faults = try Faults(on: pair.client.fileDescriptor, earlierSends: 1)
      faults.notifications { $0.held = 5 }
      pair.client.setBlocking(false)
      let all = datagrams(5)
      for _ in 0..<10 {
        // Nothing is drained then, and so nothing is tried again.
        if !takesID { try pair.client.flush(timeout: .seconds(10)) }
        faults.nextSends(Array(repeating: .none, count: place))
        faults.nextSends([takesID ? .failureTakingID(errno) : .failure(errno)])
        if place == 0 {
          let failure = error { () throws(ZeroCopyError) in
            _ = try pair.client.writeDatagrams(all, mode: .zeroCopy)
          }
          #expect(failure?.errno == errno || failure?.code == .wouldBlock)
          #expect(failure?.isSocketUsable == true)
        } else {
          #expect(try pair.client.writeDatagrams(all, mode: .zeroCopy) == place)
        }
        #expect(pair.client.statistics.completed - 1 <= faults.counts.reportedIDs)
        #expect(try pair.client.writeDatagrams(Array(all[place...]), mode: .zeroCopy) == 5 - place)
        for datagram in all { try pair.server.expectDatagram(datagram) }
        #expect(pair.client.statistics.completed - 1 <= faults.counts.reportedIDs)
      }
      try pair.client.flush(timeout: .seconds(10))
      #expect(pair.client.statistics.completed == 1 + 50)
      #expect(faults.counts.failedSends == 10)
      try pair.expectExactIDs()
    }
  }

  @Test(
    "The socket's own bound, and its share of a budget, hold for them together", arguments: [false, true])
  func bounds(_ hasBudget: Bool) throws {
    let budget = SendBudget(maximumBytes: 1 << 20, maximumBytesPerSocket: 40_000)
    var configuration = Configuration(mode: .zeroCopy)
    if hasBudget { configuration.budget = budget } else { configuration.maximumBytesInFlight = 3500 }
    var pair = try Datagrams.ready(client: configuration)
    let faults = try Faults(on: pair.client.fileDescriptor, earlierSends: 1)
    faults.notifications { $0.held = 100 }
    let all = datagrams(10)
    // 8,192 bytes each count of the budget.
    let most = hasBudget ? 4 : 3
    #expect(try pair.client.writeDatagrams(all) == most)
    #expect(pair.client.statistics.bytesInFlight == most * 1000)
    try pair.client.writeAllDatagrams(Array(all[most...]))
    for datagram in all { try pair.server.expectDatagram(datagram) }
    faults.calm()
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == 11)
    #expect(budget.usedBytes == 0)
    faults.nextSends([.none, .failureTakingID(.invalidArgument)])
    #expect(try pair.client.writeDatagrams(all) == 1)
    try pair.client.flush(timeout: .seconds(10))
    #expect(budget.usedBytes == 0)
  }

  @Test("An adopted socket's first goes alone (rule 6)")
  func adopted() throws {
    var pair = try Datagrams("127.0.0.1")
    let all = datagrams(3)
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications { $0.held = 2 }
    #expect(try pair.client.writeDatagrams(all, mode: .zeroCopy) == 1)
    #expect(try pair.client.writeDatagrams(Array(all[1...]), mode: .zeroCopy) == 2)
    for datagram in all { try pair.server.expectDatagram(datagram) }
    try pair.expectExactIDs()
  }

  @Test("Where zero copy is off they are copied, and each counts as a fallback")
  func fallbacks() throws {
    var pair = try Datagrams.ready()
    let faults = try Faults(on: pair.client.fileDescriptor, earlierSends: 1)
    faults.failSends(with: .noBufferSpace)
    let all = datagrams(3, [50_000])
    #expect(try pair.client.writeDatagrams(all, mode: .automatic) == 3)
    #expect(pair.client.statistics.fallbacks == 3)
    #expect(pair.client.statistics.sends == 4)
  }
}
