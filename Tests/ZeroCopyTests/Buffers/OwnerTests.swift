import Synchronization
import TestSupport
import Testing
import ZeroCopy

@Suite("Memory of other owners")
struct OwnerTests {
  /// Owns bytes of the pattern, and scribbles over them when it goes.
  private final class Owner: Sendable {
    nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer
    private let released: Count

    init(_ count: Int, _ released: Count) {
      memory = pinnedBytes(count)
      Pattern().fill(memory, from: 0)
      self.released = released
    }

    deinit {
      memory.initializeMemory(as: UInt8.self, repeating: scribble)
      released.add()
    }
  }

  private final class Count: Sendable {
    private let count = Atomic(0)
    func add() { count.add(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
  }

  private func send(
    _ count: Int, _ released: Count, _ socket: inout ZeroCopySocket, _ mode: WriteMode = .zeroCopy
  ) throws(ZeroCopyError) {
    let owner = Owner(count, released)
    leaksOnPurpose(owner)
    try socket.send(UnsafeRawBufferPointer(owner.memory), keeping: owner, mode: mode)
  }

  @Test("The owner lives until the kernel has let go, and is released once")
  func keptAlive() throws {
    let released = Count()
    var pair = try Connected()
    let before = try pair.stall()
    try send(100_000, released, &pair.client)
    try pair.client.reap()
    #expect(released.value == 0)
    #expect(try pair.server.read(count: before.count) == before)
    let received = try pair.server.read(count: 100_000)
    #expect(received.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) } == nil)
    try pair.client.flush(timeout: .seconds(10))
    #expect(released.value == 1)
    #expect(pair.client.statistics.leaked == 0)
  }

  @Test("It is kept for each part of a send, until the last is done")
  func parts() throws {
    let released = Count()
    var pair = try Connected()
    let stalled = try pair.stall()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.short(10), .short(20)])
    try send(100, released, &pair.client)
    for id in [2, 0, 1] as [UInt32] {
      faults.inject(first: id, last: id)
      try pair.client.reap()
      // Nobody has read what was sent, so that these are pretended.
      #expect(released.value == 0)
    }
    #expect(pair.client.statistics.inFlight == 3)
    _ = try pair.server.read(count: stalled.count + 100)
    try pair.client.flush(timeout: .seconds(10))
    #expect(released.value == 1)
  }

  @Test("A send that was copied, or failed, keeps nothing", arguments: [true, false])
  func notInFlight(_ fails: Bool) throws {
    let released = Count()
    var pair = try Connected()
    if fails { try pair.client.finishWriting() }
    let failure = error { () throws(ZeroCopyError) in try send(1000, released, &pair.client, .copy) }
    #expect(failure?.code == (fails ? .shutDown : nil))
    #expect(released.value == 1)
  }

  @Test("After an abort what the kernel has let go of is released")
  func aborted() throws {
    let released = Count()
    var pair = try Connected()
    _ = try pair.stall()
    try send(100_000, released, &pair.client)
    #expect(pair.client.abort().remaining == 0)
    #expect(released.value == 1)
    #expect(pair.client.statistics.leaked == 0)
  }

  @Test("A socket that goes out of scope in flight keeps it for ever, and what was sent arrives")
  func dropped() throws {
    let released = Count()
    var pair = try Connected()
    let before = try pair.stall()
    try send(100_000, released, &pair.client)
    let other = pair.dropClient()
    #expect(released.value == 0)
    var server = other.take()
    #expect(try server.read(count: before.count) == before)
    let (byteCount, wrongAt) = try server.readPattern()
    #expect(byteCount == 100_000)
    #expect(wrongAt == nil)
    #expect(released.value == 0)
  }
}
