import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// An eBPF program of the machine takes what a socket sends (rule 34): a send takes several ids then, or is never
/// notified. The library is not asked.
@Suite("Sends that a map of sockets takes over", .sockmap)
struct SockmapTests {
  @Test("After a send that took several ids, the next is held until the peer has acknowledged it")
  func leaving() throws {
    let pool = try BufferPool(bufferSize: 1 << 20, count: 2, pages: .standard)
    var pair = try Connected(client: Configuration(mode: .zeroCopy))
    pair.server.setOption(SOL_SOCKET, SO_RCVBUF, 64 << 10)
    let stalled = try pair.stall()
    let map = try Sockmap(.passing)
    try map.put(pair.client.fileDescriptor.rawValue)
    try #require(try pair.client.trySend(pool.filled(65_536)).isNone)
    map.takeOut()
    try #require(try pair.client.trySend(pool.filled(from: 65_536)).isNone)
    // The first one is acknowledged, with both of its ids, and of the second one a part.
    #expect(try pair.server.read(count: stalled.count) == stalled)
    try expectPattern(65_536, at: &pair.server)
    for _ in 0..<20 {
      try pair.client.reap()
      usleep(5_000)
      // One at most: what is in flight is not free, whatever ids have come.
      #expect(pool.scribbleOverAllFree() <= 1)
    }
    #expect(pair.client.statistics.inFlight >= 1)
    try expectPattern(1 << 20, from: 65_536, at: &pair.server)
    #expect(try pair.client.flush(timeout: .seconds(20)).remaining == 0)
    #expect(pool.statistics.free == 2)
    // Whatever it has made of the ids, it goes on.
    pair.client.setBlocking(true)
    for round in 0..<4 {
      try pair.client.send(pair.client.filled(from: pool, 50_000, at: round), mode: .automatic)
      try expectPattern(50_000, from: round, at: &pair.server)
    }
    #expect(try pair.client.flush(timeout: .seconds(20)).remaining == 0)
  }

  @Test("The first send that is never notified is settled, and told, and from then on all are copied")
  func neverNotified() throws {
    let hears = Reasons()
    let pool = try BufferPool(bufferSize: 64 << 10, count: 2, pages: .standard)
    var pair = try Connected(client: Configuration(mode: .automatic, observer: hears))
    let map = try Sockmap(.redirecting)
    try map.put(pair.client.fileDescriptor.rawValue, receiver: pair.server.fileDescriptor.rawValue)
    try pair.client.send(pool.filled(), mode: .zeroCopy)
    try expectPattern(64 << 10, at: &pair.server)
    #expect(try pair.client.flush(timeout: .seconds(20)).completed == 1)
    #expect(pair.client.availability == .unavailable(.neverNotified))
    #expect(pair.client.statistics.settled == 1 && pool.statistics.free == 2)
    #expect(hears.all == [.neverNotified])
    for round in 0..<20 {
      try pair.client.send(pool.filled(from: round), mode: .automatic)
      try expectPattern(64 << 10, from: round, at: &pair.server)
    }
    #expect(pair.client.statistics.zeroCopySends == 1)
    #expect(
      error { () throws(ZeroCopyError) in
        try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .zeroCopy)
      }?.code == .zeroCopyUnavailable)
  }
}
