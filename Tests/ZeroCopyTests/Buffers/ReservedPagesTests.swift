import CZeroCopy
import TestSupport
import Testing
import ZeroCopy

@Suite("A pool on huge pages that the system has reserved", .serialized, .reservedPages(12))
struct ReservedPagesTests {
  private static let size = 50_000

  @Test("It gets them, each buffer begins at one of its own, and all are free again when it has gone")
  func there() throws {
    let before = ReservedPages.free
    do {
      let pool = try BufferPool(bufferSize: Self.size, count: 3, pages: .reservedHuge)
      #expect(pool.pages == .reservedHuge)
      #expect(pool.pages.description == "reserved huge pages")
      let first = try pool.filled()
      let second = try pool.filled(from: Self.size)
      let places = [first.place, second.place].map { UInt(bitPattern: $0.baseAddress) }
      #expect(places[1] - places[0] == ReservedPages.size)
      for place in places {
        #expect(place % UInt(ReservedPages.size) == 0)
        #expect(try mappingSize("KernelPageSize", at: place) == ReservedPages.size)
      }
      #expect(first.bytes.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) } == nil)
      #expect(second.bytes.withUnsafeBytes { Pattern().firstFault(in: $0, at: Self.size) } == nil)
    }
    expectAreFreeAgain(before)
  }

  @Test("Buffers in flight when their socket ends get others of the kind")
  func quarantined() throws {
    let before = ReservedPages.free
    try Self.endInFlight { end in end() }
    expectAreFreeAgain(before)
  }

  @Test("Where none are left they get ordinary pages, and touching those ends no process (rule 26: SIGBUS)")
  func quarantinedWithoutAny() async {
    let before = ReservedPages.free
    await #expect(processExitsWith: .success) {
      try ReservedPagesTests.endInFlight { end in ReservedPages.takingAll(end) }
    }
    expectAreFreeAgain(before)
  }

  @Test(
    "So it is where a control group lets the process have no more, and only touching them would show it",
    .enabled(if: HugePageLimit.isPossible, "needs root, and the control group hugetlb"))
  func quarantinedAtALimit() async {
    await #expect(processExitsWith: .success) {
      try HugePageLimit.enter(4)
      try ReservedPagesTests.endInFlight { end in end() }
    }
    HugePageLimit.removeEmpty()
  }

  /// Lets a socket end with three buffers in flight, and uses all of them at once.
  private static func endInFlight(_ circumstances: (_ end: () -> Void) -> Void) throws {
    let pool = try BufferPool(bufferSize: size, count: 4, pages: .reservedHuge)
    #expect(pool.pages == .reservedHuge)
    var pair = try Connected()
    let first = try pair.stall()
    for round in 0..<3 { try pair.client.send(pool.filled(from: round * size), mode: .zeroCopy) }
    let ends = pair.split()
    circumstances {
      _ = ends.client.take()
      #expect(pool.scribbleOverAllFree() == 4)
    }
    #expect(pool.statistics.quarantined == 3)
    #expect(pool.statistics.lost == 0)
    var server = ends.server.take()
    #expect(areEqual(try server.read(count: first.count), first))
    let (byteCount, wrongAt) = try server.readPattern()
    #expect(byteCount == 3 * size)
    #expect(wrongAt == nil)
    try sendAgain(from: pool)
  }

  /// Every buffer of a pool arrives as it was filled.
  private static func sendAgain(from pool: BufferPool) throws {
    var pair = try Connected()
    let peer = pair.serve { socket in try socket.readPattern() }
    for round in 0..<4 { try pair.client.send(pool.filled(from: round * size), mode: .zeroCopy) }
    try pair.client.close(timeout: .seconds(10))
    let (byteCount, wrongAt) = try peer.value()
    #expect(byteCount == 4 * size)
    #expect(wrongAt == nil)
    #expect(pool.statistics.free == 4)
  }

  /// What the kernel still had of them comes back a moment later.
  private func expectAreFreeAgain(_ count: Int) {
    let end = czc_now() + 20_000_000_000
    while ReservedPages.free < count, czc_now() < end { czc_pause(10_000_000) }
    #expect(ReservedPages.free >= count)
  }
}
