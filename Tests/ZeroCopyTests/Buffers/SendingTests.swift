import CZeroCopy
import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("Sending a buffer")
struct SendingTests {
  private static let modes = [WriteMode.zeroCopy, .automatic, .copy]

  @Test("All of it arrives, in every mode and over every family", arguments: Family.allCases, modes)
  func whole(_ family: Family, _ mode: WriteMode) throws {
    if family == .unix, mode == .zeroCopy { return }
    let pool = try BufferPool(bufferSize: 100_000, count: 4)
    var pair = try Connected(family)
    let peer = pair.serve { socket in try socket.readPattern() }
    for round in 0..<20 {
      let buffer = try pair.client.filled(from: pool, 100_000, at: round * 100_000)
      try pair.client.send(buffer, mode: mode)
    }
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 2_000_000)
    #expect(wrongAt == nil)
    #expect(pool.statistics.free == 4)
    #expect(pool.statistics.quarantined == 0)
  }

  @Test("Only what is filled is sent, and of an empty buffer nothing")
  func filledPart() throws {
    let pool = try BufferPool(bufferSize: 5000, count: 2, pages: .standard)
    var pair = try Connected()
    try pair.client.send(pool.filled(7), mode: .zeroCopy)
    try pair.client.send(pool.scribbled(), mode: .zeroCopy)
    _ = try pair.client.trySend(pool.scribbled(), mode: .zeroCopy)
    try pair.client.finishWriting()
    let (byteCount, wrongAt) = try pair.server.readPattern()
    #expect(byteCount == 7)
    #expect(wrongAt == nil)
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 1)
    #expect(pool.statistics.free == 2)
  }

  @Test("Through a small socket, which takes it in parts", arguments: modes)
  func smallSocket(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 1 << 20, count: 3)
    var pair = try Connected(client: Configuration(sendBufferSize: 4096))
    let peer = pair.serve { socket in try socket.readPattern(isSlow: true) }
    for round in 0..<5 {
      var buffer = try pair.client.buffer(from: pool, timeout: .seconds(10))
      buffer.scribble()
      buffer.append(1 << 20, of: Pattern(), from: round << 20)
      try pair.client.send(buffer, mode: mode)
    }
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 5 << 20)
    #expect(wrongAt == nil)
    #expect(pool.statistics.free == 3)
  }

  @Test("Sends that the kernel cuts anywhere, amid interruptions: every byte right", arguments: [1, 2, 3])
  func shortSends(_ seed: UInt64) throws {
    let pool = try BufferPool(bufferSize: 20_000, count: 3, pages: .standard)
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor, seed: seed)
    faults.random(SendChances(short: 0.7, interrupted: 0.2))
    faults.notifications {
      $0.held = 4
      $0.split = 0.3
      $0.repeated = 0.2
    }
    let peer = pair.serve { socket in try socket.readPattern() }
    for round in 0..<100 {
      let buffer = try pair.client.filled(from: pool, 20_000, at: round * 20_000)
      try pair.client.send(buffer, mode: .zeroCopy)
    }
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 2_000_000)
    #expect(wrongAt == nil)
    #expect(faults.counts.shortSends > 100)
    #expect(pool.statistics.free == 3)
  }

  @Test("It comes back when all of its ids are in, in whatever order, and not before", arguments: [0, 1, 2])
  func allIDs(_ last: UInt32) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 1, pages: .standard)
    var pair = try Connected()
    let before = try pair.stall()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(10_000), .short(10_000)])
    try pair.client.send(pool.filled(), mode: .zeroCopy)
    #expect(pair.client.statistics.inFlight == 3)
    for id in (0..<3 as Range<UInt32>) where id != last {
      faults.inject(first: id, last: id)
      try pair.client.reap()
      #expect(pool.statistics.free == 0)
    }
    // Two are in, and held: the peer has acknowledged nothing of it.
    #expect(pair.client.statistics.inFlight == 3)
    #expect(pair.client.statistics.held == 2 && pair.client.statistics.heldBehind == 0)
    // The last one comes by itself.
    #expect(try pair.server.read(count: before.count) == before)
    let received = try pair.server.read(count: 30_000)
    #expect(received.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) } == nil)
    try pair.client.flush(timeout: .seconds(10))
    #expect(pool.statistics.free == 1)
  }

  @Test("One that throws in the middle says how far it got, and the buffer comes back when that is safe")
  func throwsInTheMiddle() throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 1, pages: .standard)
    var pair = try Connected()
    var expected = try pair.stall()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(10_000), .short(2000), .failure(.resourceTemporarilyUnavailable)])
    let buffer = try pool.filled()
    expected += buffer.contents.prefix(12_000)
    let failure = Self.failure(of: buffer, on: &pair.client)
    #expect(failure?.code == .wouldBlock)
    #expect(failure?.bytesAccepted == 12_000)
    #expect(failure?.isSocketUsable == true)
    #expect(pool.statistics.free == 0)
    #expect(try pair.server.read(count: expected.count) == expected)
    try pair.client.flush(timeout: .seconds(10))
    #expect(pool.statistics.free == 1)
  }

  @Test(
    "One that throws before the kernel has seen a byte gives the buffer back at once",
    arguments: [Errno.resourceTemporarilyUnavailable, .badAddress, .noBufferSpace])
  func throwsAtOnce(_ errno: Errno) throws {
    let pool = try BufferPool(bufferSize: 30_000, count: 1, pages: .standard)
    var pair = try Connected()
    pair.client.setBlocking(false)
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.failSends(with: errno, times: 2)
    let failure = Self.failure(of: try pool.filled(), on: &pair.client)
    #expect(failure != nil)
    #expect(failure?.bytesAccepted == 0)
    #expect(pool.statistics.free == 1)
  }

  @Test("On a closed socket the buffer goes back as well")
  func closed() throws {
    let pool = try BufferPool(bufferSize: 4096, count: 1, pages: .standard)
    var pair = try Connected()
    try pair.client.close(timeout: .seconds(1))
    #expect(Self.failure(of: try pool.filled(), on: &pair.client)?.code == .closed)
    #expect(pool.statistics.free == 1)
    let failure = error { () throws(ZeroCopyError) in
      if let buffer = pool.take() { _ = try pair.client.trySend(buffer) }
    }
    #expect(failure?.code == .closed)
    #expect(pool.statistics.free == 1)
  }

  @Test("As datagrams each buffer is one message", arguments: [WriteMode.zeroCopy, .copy])
  func datagrams(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 50_000, count: 2)
    var pair = try Datagrams("127.0.0.1")
    for size in [1, 50_000, 0, 1400] {
      var buffer = try pair.client.buffer(from: pool, timeout: .seconds(10))
      buffer.scribble()
      buffer.append(size, of: Pattern(), from: size)
      let contents = buffer.contents
      try pair.client.send(buffer, mode: mode)
      try contents.withUnsafeBytes { try pair.server.expectDatagram($0) }
    }
    try pair.client.flush(timeout: .seconds(10))
    #expect(pool.statistics.free == 2)
  }

  @Test("A buffer that is filled on one thread and sent on another")
  func otherThread() throws {
    let pool = try BufferPool(bufferSize: 65_536, count: 2)
    var pair = try Connected()
    let filled = try Background { Handoff(try pool.filled()) }.value()
    try pair.client.send(filled.take(), mode: .zeroCopy)
    let received = try pair.server.read(count: 65_536)
    #expect(received.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) } == nil)
    try pair.client.flush(timeout: .seconds(10))
    #expect(pool.statistics.free == 2)
  }

  @Test("What is protected in flight arrives, and can be used again afterwards", arguments: modes)
  func protected(_ mode: WriteMode) throws {
    let pool = try BufferPool(bufferSize: 40_000, count: 2, pages: .standard, protectingInFlight: true)
    var pair = try Connected()
    let peer = pair.serve { socket in try socket.readPattern() }
    for round in 0..<10 {
      let buffer = try pair.client.filled(from: pool, 40_000, at: round * 40_000)
      try pair.client.send(buffer, mode: mode)
    }
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 400_000)
    #expect(wrongAt == nil)
    #expect(pool.scribbleOverAllFree() == 2)
  }

  static func failure(
    of buffer: consuming SendBuffer, on socket: inout ZeroCopySocket, mode: WriteMode = .zeroCopy
  ) -> ZeroCopyError? {
    do throws(ZeroCopyError) {
      try socket.send(buffer, mode: mode)
      return nil
    } catch {
      return error
    }
  }
}
