import SystemPackage
import TestSupport
import Testing
import ZeroCopy

extension Datagrams {
  /// A pair of which one datagram has gone already: the first of an adopted socket goes alone (rule 6).
  static func ready(_ host: String = "127.0.0.1", client: Configuration = Configuration()) throws -> Datagrams
  {
    var pair = try Datagrams(host, client: client)
    try pair.expectExactIDs(1)
    return pair
  }

  /// Reads the datagrams that a send was cut into.
  mutating func expectSegments(of memory: UnsafeRawBufferPointer, _ size: Int) throws {
    var start = 0
    repeat {
      let end = min(start + size, memory.count)
      try server.expectDatagram(UnsafeRawBufferPointer(rebasing: memory[start..<end]))
      start = end
    } while start < memory.count
  }

  /// Sends and receives, one datagram after the other, and finds each confirmed once.
  mutating func expectExactIDs(_ count: Int = 10) throws {
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    let before = client.statistics
    for _ in 0..<count {
      try client.writeAll(memory, mode: .zeroCopy, segmentSize: memory.count)
      try server.expectDatagram(memory)
    }
    try client.flush(timeout: .seconds(10))
    let after = client.statistics
    #expect(after.completed - before.completed == count + before.inFlight)
    #expect(after.inFlight == 0 && after.bytesInFlight == 0)
    #expect(after.unknownNotifications == 0 && after.settled == 0)
  }
}

@Suite("Sends that are cut into datagrams")
struct SegmentTests {
  static let modes = [WriteMode.zeroCopy, .copy, .automatic]

  @Test(
    "Each segment arrives as a datagram, and a send is confirmed once", arguments: DatagramTests.hosts, modes)
  func arrive(_ host: String, _ mode: WriteMode) throws {
    var pair = try Datagrams(host)
    for (size, count) in [
      (1400, 64_400), (1000, 10_500), (1, 20), (100, 100), (2000, 1000), (40_000, 65_000),
    ] {
      let memory = UnsafeRawBufferPointer(pinnedBytes(count))
      try pair.client.writeAll(memory, mode: mode, segmentSize: size)
      try pair.expectSegments(of: memory, size)
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.sends == 6)
    #expect(pair.client.statistics.completed == (mode == .zeroCopy ? 6 : mode == .automatic ? 2 : 0))
    try pair.expectExactIDs()
  }

  @Test("Where segments end does not depend on how the memory is given", arguments: modes)
  func pieces(_ mode: WriteMode) throws {
    var pair = try Datagrams("127.0.0.1")
    let memory = UnsafeRawBufferPointer(pinnedBytes(40_000))
    let pieces = [0..<1, 1..<1, 1..<2999, 2999..<33_000, 33_000..<40_000].map {
      UnsafeRawBufferPointer(rebasing: memory[$0])
    }
    try pair.client.writeAll(pieces, mode: mode, segmentSize: 1200)
    try pair.expectSegments(of: memory, 1200)
  }

  @Test("The socket's segment size holds for its sends, unless a call says otherwise", arguments: modes)
  func ofSocket(_ mode: WriteMode) throws {
    var pair = try Datagrams("127.0.0.1", client: Configuration(mode: mode, segmentSize: 1000))
    let memory = UnsafeRawBufferPointer(pinnedBytes(3500))
    try pair.client.writeAll(memory)
    try pair.expectSegments(of: memory, 1000)
    try pair.client.writeAll(memory, segmentSize: 1200)
    try pair.expectSegments(of: memory, 1200)
    try pair.client.writeAll(memory, segmentSize: 3500)
    try pair.expectSegments(of: memory, 3500)
    _ = try pair.client.writev(memory)
    try pair.expectSegments(of: memory, 1000)
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == (mode == .zeroCopy ? 4 : 0))
  }

  @Test("Borrowed memory is free again when writeAndFlush returns")
  func borrowed() throws {
    var pair = try Datagrams("[::1]")
    let memory = UnsafeRawBufferPointer(pinnedBytes(30_000))
    var bytes = Array(memory)
    let flushed = try pair.client.writeAndFlush(
      bytes.span, timeout: .seconds(10), mode: .zeroCopy, segmentSize: 1300)
    #expect(flushed.completed == 1 && flushed.remaining == 0)
    for index in bytes.indices { bytes[index] = 0 }
    try pair.expectSegments(of: memory, 1300)
  }

  @Test("A pooled buffer is cut, and comes back after its one notification", arguments: [true, false])
  func pooled(_ tries: Bool) throws {
    var pair = try Datagrams("127.0.0.1")
    let pool = try BufferPool(bufferSize: 60_000, count: 2, pages: .standard)
    let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
    for _ in 0..<20 {
      var buffer = try pair.client.buffer(from: pool, timeout: .seconds(10))
      _ = buffer.append(contentsOf: Array(memory))
      if tries {
        let isSent = try pair.client.trySend(buffer, mode: .zeroCopy, segmentSize: 1400).isNone
        #expect(isSent)
      } else {
        try pair.client.send(buffer, mode: .zeroCopy, segmentSize: 1400)
      }
      try pair.expectSegments(of: memory, 1400)
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.completed == 20)
    #expect(pool.statistics.free == 2)
  }
}
