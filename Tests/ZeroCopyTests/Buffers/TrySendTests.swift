import CZeroCopy
import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("Trying to send a buffer")
struct TrySendTests {
  private static let modes = [WriteMode.zeroCopy, .copy]

  /// Whether the socket has taken it.
  private func sends(
    _ buffer: consuming SendBuffer, _ socket: inout ZeroCopySocket, _ mode: WriteMode = .zeroCopy
  ) throws -> Bool {
    switch try socket.trySend(buffer, mode: mode) {
    case .some: false
    case .none: true
    }
  }

  @Test("A full socket gives it back, with what it holds, on a blocking descriptor too", arguments: modes)
  func givesBack(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 5000, count: 1, pages: .standard)
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .copy)
    pair.client.setBlocking(true)
    guard var same = try pair.client.trySend(pool.filled(4000), mode: mode) else {
      Issue.record("a full socket has taken it")
      return
    }
    #expect(same.count == 4000)
    #expect(same.bytes.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) } == nil)
    _ = same.append(contentsOf: [1])
    #expect(same.count == 4001)
    #expect(pair.client.statistics.inFlight == 0)
  }

  @Test("One that comes back can be touched, also where memory in flight cannot")
  func givesBackAccessible() throws {
    let pool = try BufferPool(bufferSize: 5000, count: 1, pages: .standard, protectingInFlight: true)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.failSends(with: .resourceTemporarilyUnavailable)
    guard let same = try pair.client.trySend(pool.filled(4000), mode: .zeroCopy) else {
      Issue.record("a full socket has taken it")
      return
    }
    let readable = isReadable(same)
    #expect(readable)
    #expect(try sends(same, &pair.client))
    #expect(try pair.server.read(count: 4000).count == 4000)
  }

  /// Asks the kernel, which answers EFAULT where a load would end the process.
  private func isReadable(_ buffer: borrowing SendBuffer) -> Bool {
    buffer.bytes.withUnsafeBytes { bytes in
      let file = czc_memory_file()
      defer { close(file) }
      return write(file, bytes.baseAddress, bytes.count) == bytes.count
    }
  }

  @Test("The rest of one that is protected in flight goes, too")
  func protectedTail() throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 1, pages: .standard, protectingInFlight: true)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(10_000)])
    #expect(try sends(pool.filled(), &pair.client))
    try pair.client.flush(timeout: .seconds(10))
    try pair.client.finishWriting()
    let (byteCount, wrongAt) = try pair.server.readPattern()
    #expect(byteCount == 30_000)
    #expect(wrongAt == nil)
    #expect(pool.scribbleOverAllFree() == 1)
  }

  /// What comes after a buffer of which a part was accepted.
  enum Next: String, CaseIterable {
    case writev, pieces, writeAndFlush, send, trySend, flush, close, finishWriting, keeping
  }

  @Test("What follows one that was taken in part comes behind its rest", arguments: Next.allCases, modes)
  func order(_ next: Next, _ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 2, pages: .standard)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(10_000)])
    #expect(try sends(pool.filled(), &pair.client, mode))
    #expect(pair.client.statistics.bytes == 10_000)
    faults.nextSends([.short(5000)])
    let more = pinnedBytes(1000)
    Pattern().fill(more, from: 30_000)
    let piece = UnsafeRawBufferPointer(more)
    switch next {
    case .writev: _ = try pair.client.writev(piece, mode: mode)
    case .pieces: try pair.client.writeAll(piece.cut(into: 3), mode: mode)
    case .writeAndFlush: try pair.client.writeAndFlush(piece.bytes, timeout: .seconds(10), mode: mode)
    case .send: try pair.client.send(pool.filled(1000, from: 30_000), mode: mode)
    case .trySend: #expect(try sends(pool.filled(1000, from: 30_000), &pair.client, mode))
    case .keeping: try pair.client.send(piece, keeping: Owner(), mode: mode)
    case .flush: try pair.client.flush(timeout: .seconds(10))
    case .close: try pair.client.close(timeout: .seconds(10))
    case .finishWriting: try pair.client.finishWriting()
    }
    if next != .close { try pair.client.close(timeout: .seconds(10)) }
    let (byteCount, wrongAt) = try pair.server.readPattern()
    #expect(byteCount == ([.flush, .close, .finishWriting].contains(next) ? 30_000 : 31_000))
    #expect(wrongAt == nil)
    #expect(pool.statistics.free == 2)
    #expect(pool.statistics.quarantined == 0)
  }

  final class Owner: Sendable {}

  @Test("With a rest that the socket does not take, the next one comes back", arguments: modes)
  func behindARest(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 2, pages: .standard)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([
      .short(10_000), .failure(.resourceTemporarilyUnavailable), .short(10_000),
      .failure(.resourceTemporarilyUnavailable),
    ])
    #expect(try sends(pool.filled(), &pair.client, mode))
    // The first part of the rest goes with the second try: twice nothing.
    guard let next = try pair.client.trySend(pool.filled(from: 30_000), mode: mode) else {
      Issue.record("it overtook the rest")
      return
    }
    guard let again = try pair.client.trySend(next, mode: mode) else {
      Issue.record("it overtook the rest")
      return
    }
    #expect(try sends(again, &pair.client, mode))
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try pair.server.readPattern()
    #expect(byteCount == 60_000)
    #expect(wrongAt == nil)
  }

  @Test("A limit that has no name gives it back as well while something is in flight, and is thrown else")
  func namelessLimit() throws {
    let pool = try BufferPool(bufferSize: 5000, count: 2, pages: .standard)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications { $0.perRead = 0 }
    #expect(try sends(pool.filled(), &pair.client))
    faults.failSends(with: .noBufferSpace, times: 2)
    guard let same = try pair.client.trySend(pool.filled(from: 5000), mode: .zeroCopy) else {
      Issue.record("it was sent")
      return
    }
    faults.calm()
    try pair.client.flush(timeout: .seconds(10))
    faults.failSends(with: .noBufferSpace)
    var errno: Errno?
    do throws(ZeroCopyError) {
      _ = try pair.client.trySend(same, mode: .zeroCopy)
    } catch {
      errno = error.errno
    }
    #expect(errno == .noBufferSpace)
    #expect(pool.statistics.free == 2)
  }

  @Test("Against a slow reader, waiting for room between tries: every byte right", arguments: modes)
  func slowReader(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 300_000, count: 4)
    var pair = try Connected(client: Configuration(sendBufferSize: 100_000))
    let peer = pair.serve { socket in try socket.readPattern(isSlow: true) }
    for round in 0..<20 {
      let buffer = try pair.client.filled(from: pool, 300_000, at: round * 300_000)
      var pending: SendBuffer? = consume buffer
      while let next = pending.take() {
        pending = try pair.client.trySend(next, mode: mode)
        var room = pollfd(fd: pair.client.fileDescriptor.rawValue, events: Int16(POLLOUT), revents: 0)
        if pending != nil { poll(&room, 1, 1000) }
      }
    }
    try pair.client.close(timeout: .seconds(20))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 6_000_000)
    #expect(wrongAt == nil)
    #expect(pool.statistics.free == 4)
  }

  /// How a socket ends that has a rest.
  enum End: String, CaseIterable { case abort, drop, lostWriting, lostFlushing }

  @Test("A rest whose socket ends gives its buffer back", arguments: End.allCases)
  func ends(_ end: End) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 2, pages: .standard)
    do {
      var pair = try Connected()
      let faults = try Faults(on: pair.client.fileDescriptor)
      faults.sends { number, _ in number == 0 ? .short(10_000) : .failure(.resourceTemporarilyUnavailable) }
      #expect(try sends(pool.filled(), &pair.client))
      #expect(pool.statistics.free == 1)
      switch end {
      case .abort:
        pair.client.abort()
        #expect(pool.statistics.free == 2)
      case .drop: break
      case .lostWriting, .lostFlushing:
        faults.sends { _, _ in .none }
        try pair.serve { socket in socket.resetOnClose() }.value()
        let failure = error { () throws(ZeroCopyError) in
          if end == .lostFlushing {
            _ = try pair.client.flush(timeout: .seconds(10))
            return
          }
          while true { try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(10)), mode: .copy) }
        }
        #expect(failure?.code == .connectionLost)
        #expect(failure?.isSocketUsable == false)
        if end == .lostFlushing { #expect(failure?.flushed?.remaining == 0) }
        try pair.client.close(timeout: .seconds(10))
      }
    }
    #expect(pool.scribbleOverAllFree() == 2)
  }

  @Test("A socket that goes out of scope with a rest resets: nobody takes the cut for the end")
  func droppedWithRest() throws {
    let pool = try BufferPool(bufferSize: 60_000, count: 1, pages: .standard)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.sends { number, _ in number == 0 ? .short(1000) : .failure(.resourceTemporarilyUnavailable) }
    #expect(try sends(pool.filled(60_000), &pair.client, .copy))
    var server = pair.dropClient().take()
    #expect(error { () throws(ZeroCopyError) in try server.expectEnd() }?.code == .connectionLost)
  }

  @Test("A loss that the rest meets while a buffer is waited for is told")
  func lostWithRest() throws {
    let pool = try BufferPool(bufferSize: 60_000, count: 1, pages: .standard)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(1000), .failure(.connectionReset)])
    #expect(try sends(pool.filled(60_000), &pair.client, .copy))
    let failure = error { () throws(ZeroCopyError) in
      _ = try pair.client.buffer(from: pool, timeout: .seconds(20))
    }
    #expect(failure?.code == .connectionLost)
    #expect(failure?.isSocketUsable == false)
  }

  @Test("A close that cannot send the rest leaves the socket open, and can be called again", arguments: modes)
  func closeTimesOut(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 1, pages: .standard)
    var pair = try Connected()
    let before = try pair.stall()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.sends { number, _ in number == 0 ? .short(10_000) : .failure(.resourceTemporarilyUnavailable) }
    #expect(try sends(pool.filled(), &pair.client, mode))
    let failure = error { () throws(ZeroCopyError) in try pair.client.close(timeout: .milliseconds(20)) }
    #expect(failure?.code == .timedOut)
    #expect(failure?.flushed?.remaining == (mode == .zeroCopy ? 1 : 0))
    #expect(pair.client.fileDescriptor.rawValue >= 0)
    faults.sends { _, _ in .none }
    let peer = pair.serve { socket in
      let first = try socket.read(count: before.count)
      return (first, try socket.readPattern())
    }
    try pair.client.close(timeout: .seconds(10))
    let (first, rest) = try peer.value()
    #expect(first == before)
    #expect(rest.byteCount == 30_000)
    #expect(rest.wrongAt == nil)
    #expect(pool.statistics.free == 1)
  }

  @Test("A descriptor is not handed over with a rest in the middle of a message", arguments: modes)
  func relinquish(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 1, pages: .standard)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(10_000)])
    #expect(try sends(pool.filled(), &pair.client, mode))
    #expect(try pair.server.read(count: 10_000).count == 10_000)
    // Until nothing is in flight: the rest is the only reason.
    while pair.client.statistics.inFlight > 0 { try pair.client.reap() }
    var failure: ZeroCopyError.Code?
    do throws(ZeroCopyError) {
      _ = try pair.client.relinquish()
    } catch {
      failure = error.code
    }
    #expect(failure == .sendsInFlight)
    try pair.client.flush(timeout: .seconds(10))
    #expect(try pair.server.read(count: 20_000).count == 20_000)
    try pair.client.relinquish().close()
  }

  @Test("Datagrams keep their bounds, and a full socket gives the whole one back")
  func datagrams() throws {
    let pool = try BufferPool(bufferSize: 1000, count: 3, pages: .standard)
    var pair = try Datagrams("127.0.0.1")
    let faults = try Faults(on: pair.client.fileDescriptor)
    for size in [1, 999, 0, 1000] {
      faults.failSends(with: .resourceTemporarilyUnavailable)
      guard let same = try pair.client.trySend(pool.filled(size), mode: .zeroCopy) else {
        Issue.record("a full socket has taken \(size) bytes")
        return
      }
      #expect(try sends(same, &pair.client))
      try pool.filled(size).contents.withUnsafeBytes { try pair.server.expectDatagram($0) }
      try pair.client.flush(timeout: .seconds(10))
    }
    #expect(pool.statistics.free == 3)
  }
}
