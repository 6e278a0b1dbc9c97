import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

/// After each end every buffer is taken at once and scribbled over: what is read late must not show it.
@Suite("Ending with buffers in flight")
struct PoolEndingTests {
  // Three of them find room at an end that an ordinary user has stalled.
  private let size = 50_000

  private func pool(_ pages: Pages = .huge) throws -> BufferPool {
    try BufferPool(bufferSize: size, count: 4, pages: pages)
  }

  /// Sends three buffers that the peer does not take.
  private func sendAll(_ pair: inout Connected, _ pool: BufferPool) throws -> [UInt8] {
    let before = try pair.stall()
    for round in 0..<3 { try pair.client.send(pool.filled(from: round * size), mode: .zeroCopy) }
    #expect(pool.statistics.free == 1)
    return before
  }

  @Test(
    "A socket that goes out of scope delivers in order what is pooled, and its buffers come back with other pages",
    arguments: [Pages.standard, .huge, .reservedHuge], [false, true])
  func dropped(_ pages: Pages, _ isProtected: Bool) throws {
    let pool = try BufferPool(bufferSize: size, count: 4, pages: pages, protectingInFlight: isProtected)
    var pair = try Connected()
    let before = try sendAll(&pair, pool)
    let server = pair.dropClient()
    #expect(pool.scribbleOverAllFree() == 4)
    #expect(pool.statistics.quarantined == 3)
    var socket = server.take()
    #expect(try socket.read(count: before.count) == before)
    let (byteCount, wrongAt) = try socket.readPattern()
    #expect(byteCount == 3 * size)
    #expect(wrongAt == nil)
    #expect(pool.scribbleOverAllFree() == 4)
    #expect(pool.statistics.lost == 0)
  }

  @Test("With memory of the caller's in flight as well it resets: that may be used again at any time")
  func droppedWithBorrowed() throws {
    let pool = try pool()
    var pair = try Connected()
    let before = try sendAll(&pair, pool)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .zeroCopy)
    let server = pair.dropClient()
    #expect(pool.scribbleOverAllFree() == 4)
    var socket = server.take()
    // What the peer has already is whole.
    var received: [UInt8] = []
    #expect(
      throws: ZeroCopyError.self,
      performing: {
        while true {
          let bytes = try socket.read(count: 1)
          if bytes.isEmpty { break }
          received += bytes
        }
      })
    #expect(before.starts(with: received))
  }

  @Test("An abort waits for what comes late, and nothing is quarantined where all of it came")
  func aborted() throws {
    let pool = try pool()
    var pair = try Connected()
    _ = try sendAll(&pair, pool)
    #expect(pair.client.abort().remaining == 0)
    #expect(pool.scribbleOverAllFree() == 4)
    #expect(pool.statistics.quarantined == 0)
    #expect(pair.client.statistics.quarantined == 0)
    #expect(pair.client.statistics.bytesInFlight == 0)
  }

  @Test("What does not come is quarantined, leaked or told, each by its owner, and counted")
  func abortedInVain() throws {
    // Not a weak reference: a leak checker would name its side table.
    final class Owner: Sendable {
      let isGone: Flag
      init(_ isGone: Flag) { self.isGone = isGone }
      deinit { isGone.raise() }
    }
    let pool = try pool(.standard)
    var pair = try Connected()
    _ = try pair.stall()
    let faults = try Faults(on: pair.client.fileDescriptor)
    // Never read.
    faults.notifications { $0.perRead = 0 }
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    let isGone = Flag()
    do {
      let owner = Owner(isGone)
      leaksOnPurpose(owner)
      try pair.client.send(memory, keeping: owner, mode: .zeroCopy)
    }
    try pair.client.send(pool.filled(), mode: .zeroCopy)
    faults.nextSends([.short(30_000)])
    try pair.client.send(pool.filled(), mode: .zeroCopy)
    try pair.client.writeAll(memory, mode: .zeroCopy)
    let result = pair.client.abort()
    #expect(result.remaining == 5)
    #expect(pool.scribbleOverAllFree() == 4)
    // Two buffers, one of them in two sends.
    #expect(pool.statistics.quarantined == 2)
    #expect(pair.client.statistics.quarantined == 3)
    #expect(pair.client.statistics.leaked == 1)
    #expect(!isGone.isRaised)
    // The caller's own is all that is still to be minded.
    #expect(pair.client.statistics.inFlight == 1)
    #expect(pair.client.statistics.bytesInFlight == 1000)
    #expect(pair.client.abort() == FlushResult())
  }

  @Test("A close that ran out of time says what was left, can be called again, and quarantines nothing")
  func closedLate() throws {
    let pool = try pool()
    var pair = try Connected()
    let before = try sendAll(&pair, pool)
    for _ in 0..<2 {
      let failure = error { () throws(ZeroCopyError) in try pair.client.close(timeout: .milliseconds(20)) }
      #expect(failure?.code == .timedOut)
      #expect(failure?.flushed?.remaining == 3)
    }
    #expect(pool.statistics.free == 1)
    let peer = pair.serve { socket in
      let first = try socket.read(count: before.count)
      return (first, try socket.readPattern())
    }
    try pair.client.close(timeout: .seconds(10))
    #expect(pool.scribbleOverAllFree() == 4)
    #expect(pool.statistics.quarantined == 0)
    let (first, rest) = try peer.value()
    #expect(first == before)
    #expect(rest.byteCount == 3 * size)
    #expect(rest.wrongAt == nil)
  }

  @Test("A reset by the peer brings every buffer back, by its own notifications")
  func reset() throws {
    let pool = try pool()
    var pair = try Connected()
    _ = try sendAll(&pair, pool)
    try pair.serve { socket in socket.resetOnClose() }.value()
    let failure = error { () throws(ZeroCopyError) in try pair.client.close(timeout: .seconds(10)) }
    #expect(failure?.code == .connectionLost)
    #expect(pool.scribbleOverAllFree() == 4)
    #expect(pool.statistics.quarantined == 0)
  }

  @Test("A send that fails at a lost connection gives its buffer back when its parts are done")
  func failedSend() throws {
    let pool = try pool()
    var pair = try Connected()
    _ = try sendAll(&pair, pool)
    try pair.serve { socket in socket.resetOnClose() }.value()
    var failure: ZeroCopyError?
    while failure == nil {
      var buffer = try pair.client.buffer(from: pool, timeout: .seconds(10))
      _ = buffer.append(contentsOf: [1])
      failure = SendingTests.failure(of: buffer, on: &pair.client)
    }
    #expect(failure?.code == .connectionLost)
    try pair.client.close(timeout: .seconds(10))
    #expect(pool.scribbleOverAllFree() == 4)
    #expect(pool.statistics.quarantined == 0)
  }

  @Test("AF_UNIX, which copies, delivers all and keeps nothing", arguments: [true, false])
  func unix(_ aborts: Bool) throws {
    let pool = try BufferPool(bufferSize: 10_000, count: 4, pages: .standard)
    var pair = try Connected(.unix)
    for round in 0..<3 { try pair.client.send(pool.filled(from: round * 10_000)) }
    #expect(pool.scribbleOverAllFree() == 4)
    if aborts { #expect(pair.client.abort() == FlushResult()) }
    let server = pair.dropClient()
    var socket = server.take()
    let (byteCount, wrongAt) = try socket.readPattern()
    #expect(byteCount == 30_000)
    #expect(wrongAt == nil)
    #expect(pool.statistics.quarantined == 0)
  }

  @Test("AF_UNIX has no reset: of a buffer that was accepted in part the peer reads that, and then the end")
  func unixRest() throws {
    let pool = try BufferPool(bufferSize: 4 << 20, count: 1, pages: .standard)
    var pair = try Connected(.unix)
    let isTaken = try pair.client.trySend(pool.filled()).isNone
    #expect(isTaken)
    let accepted = pair.client.statistics.bytes
    #expect((1..<pool.bufferSize).contains(accepted))
    var server = pair.dropClient().take()
    #expect(pool.scribbleOverAllFree() == 1)
    let (byteCount, wrongAt) = try server.readPattern()
    #expect(byteCount == accepted)
    #expect(wrongAt == nil)
  }

  /// How a datagram socket ends; it has no abort of its own.
  enum End: String, CaseIterable { case drop, abort, close }

  @Test(
    "Datagrams that wait in a queueing discipline leave as they were sent",
    .enabled(if: mayMakeNetworks, "needs root, for a network of its own"), arguments: End.allCases)
  func datagrams(_ end: End) throws {
    try onOwnThread {
      // One passes at once, and each of the others takes 0.2 s.
      try enterNewNetwork(
        "ip link set lo up && tc qdisc add dev lo root tbf rate 2mbit burst 66000 limit 1000000")
      let pool = try BufferPool(bufferSize: 50_000, count: 6, pages: .standard)
      let ends = try Datagrams("127.0.0.1").split()
      // At once: a socket holds few such datagrams.
      let peer = Background {
        var server = ends.server.take()
        for round in [0, 0, 1, 2, 3, 4] {
          let expected = pinnedBytes(50_000)
          Pattern().fill(expected, from: round)
          try server.expectDatagram(UnsafeRawBufferPointer(expected))
        }
      }
      do {
        var client = ends.client.take()
        // An adopted descriptor's first send goes alone.
        try client.send(pool.filled(), mode: .zeroCopy)
        try client.flush(timeout: .seconds(10))
        for round in 0..<5 { try client.send(pool.filled(from: round), mode: .zeroCopy) }
        #expect(client.statistics.inFlight > 0)
        switch end {
        case .drop: break
        case .abort: client.abort()
        case .close: try client.close(timeout: .seconds(10))
        }
      }
      #expect(pool.scribbleOverAllFree() == 6)
      if end == .drop { #expect(pool.statistics.quarantined > 0) }
      if end == .close { #expect(pool.statistics.quarantined == 0) }
      try peer.value()
    }
  }
}

extension Datagrams {
  consuming func split() -> (client: Handoff<ZeroCopySocket>, server: Handoff<ZeroCopySocket>) {
    let server = Handoff(server)
    return (Handoff(client), server)
  }
}
