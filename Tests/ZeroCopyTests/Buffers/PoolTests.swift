import CZeroCopy
import Glibc
import Synchronization
import TestSupport
import Testing
import ZeroCopy

@Suite("A pool")
struct PoolTests {
  @Test("Gives out each buffer once, then nil, and takes back what goes out of scope")
  func takesAndReturns() throws {
    let pool = try BufferPool(bufferSize: 5000, count: 3, pages: .standard)
    #expect(pool.bufferSize == 5000)
    #expect(pool.statistics.count == 3)
    do {
      let held = [
        Handoff(try pool.scribbled()), Handoff(try pool.scribbled()), Handoff(try pool.scribbled()),
      ]
      #expect(pool.statistics.free == 0)
      let fourth = pool.take()
      let isNone = fourth == nil
      #expect(isNone)
      _ = held[1].take()
      #expect(pool.statistics.free == 1)
      let again = try pool.scribbled()
      #expect(again.count == 0)
      #expect(again.capacity == 5000)
    }
    #expect(pool.statistics.free == 3)
    #expect(pool.statistics.quarantined == 0)
    #expect(pool.statistics.lost == 0)
  }

  @Test(
    "Each buffer begins at a page, and none reaches into another",
    arguments: [(1, Pages.standard), (4096, .standard), (5000, .huge), (70_000, .huge)])
  func apart(_ size: Int, _ pages: Pages) throws {
    let pool = try BufferPool(bufferSize: size, count: 5, pages: pages)
    var buffers: [Handoff<SendBuffer>] = []
    var ranges: [Range<UInt>] = []
    for number in 0..<5 {
      var buffer = try pool.scribbled()
      buffer.append(size, of: Pattern(), from: number * 1000)
      buffer.bytes.withUnsafeBytes {
        let start = UInt(bitPattern: $0.baseAddress)
        #expect(start % UInt(czc_page_size()) == 0)
        ranges.append(start..<(start + UInt($0.count)))
      }
      buffers.append(Handoff(buffer))
    }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    for (range, next) in zip(ranges, ranges.dropFirst()) { #expect(range.upperBound <= next.lowerBound) }
    for number in 0..<5 {
      let buffer = buffers[number].take()
      #expect(buffer.bytes.withUnsafeBytes { Pattern().firstFault(in: $0, at: number * 1000) } == nil)
    }
  }

  @Test("A buffer that comes back is empty: what it held is not readable")
  func recycledIsEmpty() throws {
    let pool = try BufferPool(bufferSize: 4096, count: 1, pages: .standard)
    do {
      var buffer = try pool.filled()
      #expect(buffer.freeCapacity == 0)
      buffer.removeAll()
      #expect(buffer.count == 0)
      #expect(buffer.bytes.byteCount == 0)
    }
    guard let buffer = pool.take() else { throw NoBufferIsFree() }
    #expect(buffer.count == 0)
    #expect(buffer.bytes.byteCount == 0)
    #expect(buffer.freeCapacity == 4096)
  }

  @Test("Threads that take and return at once never have the same buffer")
  func manyThreads() throws {
    let pool = try BufferPool(bufferSize: 64, count: 6, pages: .standard)
    let rounds = TestScale.scaled(20_000)
    let workers = (0..<4).map { worker in
      Background {
        var wrong = 0
        for round in 0..<rounds {
          guard var buffer = pool.take() else { continue }
          let mark = UInt8(truncatingIfNeeded: worker << 6 | round & 63)
          _ = buffer.append(contentsOf: repeatElement(mark, count: 64))
          sched_yield()
          if !buffer.bytes.withUnsafeBytes({ $0.allSatisfy { $0 == mark } }) { wrong += 1 }
        }
        return wrong
      }
    }
    for worker in workers { #expect(try worker.value() == 0) }
    #expect(pool.statistics.free == 6)
  }

  @Test("Lives on as long as a buffer of it does")
  func outlivedByABuffer() throws {
    weak var gone: BufferPool?
    do {
      var buffer: SendBuffer
      do {
        let pool = try BufferPool(bufferSize: 4096, count: 2, pages: .standard)
        gone = pool
        buffer = try pool.filled(100)
      }
      #expect(gone != nil)
      _ = buffer.append(contentsOf: [1, 2, 3])
      #expect(buffer.contents.suffix(3) == [1, 2, 3])
    }
    #expect(gone == nil)
  }

  @Test("Lives on as long as a send of its memory does, and no longer")
  func outlivedByASend() throws {
    var pair = try Connected()
    let before = try pair.stall()
    weak var gone: BufferPool?
    do {
      let pool = try BufferPool(bufferSize: 50_000, count: 2, pages: .standard)
      gone = pool
      try pair.client.send(pool.filled(), mode: .zeroCopy)
    }
    #expect(gone != nil)
    #expect(try pair.server.read(count: before.count) == before)
    let received = try pair.server.read(count: 50_000)
    #expect(received.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) } == nil)
    try pair.client.flush(timeout: .seconds(10))
    #expect(gone == nil)
  }

  #if DEBUG
    @Test("Who writes behind a buffer is stopped, in debug builds")
    func guardPage() async {
      await #expect(processExitsWith: .failure) {
        let pool = try BufferPool(bufferSize: 4096, count: 2, pages: .standard)
        let buffer = try pool.filled()
        buffer.bytes.withUnsafeBytes {
          UnsafeMutableRawPointer(mutating: $0.baseAddress! + 4096).storeBytes(of: 1, as: UInt8.self)
        }
      }
    }
  #endif
}
