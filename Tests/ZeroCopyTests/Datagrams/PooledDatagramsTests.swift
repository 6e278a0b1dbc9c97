import DequeModule
import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("Several buffers of a pool in one call")
struct PooledDatagramsTests {
  private func queue(_ pool: BufferPool, _ sizes: [Int]) throws -> UniqueDeque<SendBuffer> {
    var queue = UniqueDeque<SendBuffer>()
    for (number, size) in sizes.enumerated() { queue.append(try pool.filled(size, from: number * 100_000)) }
    return queue
  }

  private func expect(_ server: inout ZeroCopySocket, _ number: Int, _ size: Int) throws {
    let expected = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, size), alignment: 8)
    defer { expected.deallocate() }
    Pattern().fill(expected, from: number * 100_000)
    try server.expectDatagram(UnsafeRawBufferPointer(rebasing: expected[..<size]))
  }

  @Test(
    "All leave the queue, arrive, and come back to their pool", arguments: SegmentTests.modes, [false, true])
  func arrive(_ mode: WriteMode, _ protects: Bool) throws {
    var pair = try Datagrams.ready()
    let pool = try BufferPool(bufferSize: 40_000, count: 4, pages: .standard, protectingInFlight: protects)
    for _ in 0..<5 {
      let sizes = [40_000, 1, 0, 1400]
      var queue = try queue(pool, sizes)
      #expect(try pair.client.sendDatagrams(from: &queue, mode: mode) == 4)
      let count = queue.count
      #expect(count == 0)
      for (number, size) in sizes.enumerated() { try expect(&pair.server, number, size) }
      try pair.client.flush(timeout: .seconds(10))
      #expect(pool.statistics.free == 4)
    }
    #expect(pair.client.statistics.sends == 1 + 20)
  }

  @Test(
    "What was not accepted stays in the queue, and none is used before its own notification",
    arguments: [0, 2])
  func refused(_ place: Int) throws {
    var pair = try Datagrams.ready()
    let faults = try Faults(on: pair.client.fileDescriptor, earlierSends: 1)
    faults.notifications { $0.held = 3 }
    let pool = try BufferPool(bufferSize: 1000, count: 4, pages: .standard)
    for takesID in [false, true] {
      try pair.client.flush(timeout: .seconds(10))
      var queue = try queue(pool, [1000, 1000, 1000, 1000])
      faults.nextSends(Array(repeating: .none, count: place))
      faults.nextSends([takesID ? .failureTakingID(.invalidArgument) : .failure(.invalidArgument)])
      if place == 0 {
        let code = error { () throws(ZeroCopyError) in
          _ = try pair.client.sendDatagrams(from: &queue, mode: .zeroCopy)
        }?.code
        #expect(code == .system)
      } else {
        #expect(try pair.client.sendDatagrams(from: &queue, mode: .zeroCopy) == place)
      }
      // Its id may be told later: then it is the kernel's for so long, and gone as a datagram is.
      let gone = 4 - place - queue.count
      #expect(gone == 0 || (takesID && gone == 1))
      #expect(pool.statistics.free + queue.count <= 4)
      while queue.count > 0 { _ = try pair.client.sendDatagrams(from: &queue, mode: .zeroCopy) }
      for number in 0..<4 where gone == 0 || number != place { try expect(&pair.server, number, 1000) }
      try pair.client.flush(timeout: .seconds(10))
      #expect(pool.statistics.free == 4)
    }
    try pair.expectExactIDs()
  }

  @Test("An empty queue is no send, and a stream has none")
  func none() throws {
    var pair = try Datagrams.ready()
    var queue = UniqueDeque<SendBuffer>()
    #expect(try pair.client.sendDatagrams(from: &queue) == 0)
    let pool = try BufferPool(bufferSize: 1000, count: 1, pages: .standard)
    queue.append(try pool.filled())
    var stream = try Connected()
    let code = error { () throws(ZeroCopyError) in _ = try stream.client.sendDatagrams(from: &queue) }?.code
    #expect(code == .invalidArgument)
    let count = queue.count
    #expect(count == 1)
  }
}
