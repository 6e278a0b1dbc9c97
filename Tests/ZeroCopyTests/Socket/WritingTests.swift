import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("Writing to streams")
struct WritingTests {
  /// Sends a list of pieces in each mode and compares every byte.
  private func sends(_ sizes: [Int], _ mode: WriteMode, _ family: Family = .ipv4) throws {
    var pair = try Connected(family)
    let total = sizes.reduce(0, +)
    let memory = pinnedBytes(total)
    var buffers: [UnsafeRawBufferPointer] = []
    var offset = 0
    for size in sizes {
      buffers.append(UnsafeRawBufferPointer(rebasing: memory[offset..<offset + size]))
      offset += size
    }
    let reader = pair.serve { socket in try socket.read(count: total) }
    try pair.client.writeAll(buffers, mode: mode)
    let flushed = try pair.client.flush(timeout: .seconds(20))
    #expect(try reader.value() == Array(memory))
    #expect(flushed.remaining == 0)
    #expect(pair.client.statistics.bytes == total)
    #expect(pair.client.statistics.zeroCopyBytes == (mode == .zeroCopy ? total : 0))
    #expect(flushed.completed == pair.client.statistics.zeroCopySends)
  }

  @Test(
    "Any number of buffers, empty ones among them, arrives in order",
    arguments: [0, 1, 2, 1023, 1024, 1025, 5000], [WriteMode.zeroCopy, .copy])
  func counts(_ count: Int, _ mode: WriteMode) throws {
    try sends((0..<count).map { $0 % 3 == 1 ? 0 : 1 + $0 % 700 }, mode)
  }

  @Test(
    "Large buffers arrive whole", .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"),
    arguments: Family.withZeroCopy, [WriteMode.zeroCopy, .copy, .automatic])
  func large(_ family: Family, _ mode: WriteMode) throws {
    var pair = try Connected(family)
    let memory = pinnedBytes(24 << 20)
    let reader = pair.serve { socket in try socket.read(count: 24 << 20) }
    try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: mode)
    try pair.client.flush(timeout: .seconds(20))
    #expect(areEqual(try reader.value(), Array(memory)))
  }

  @Test("5,000 empty buffers are nothing, and take no id (rule 3)")
  func allEmpty() throws {
    var pair = try Connected()
    let empty = [UnsafeRawBufferPointer](repeating: UnsafeRawBufferPointer(start: nil, count: 0), count: 5000)
    #expect(try pair.client.writev(empty, mode: .zeroCopy) == 0)
    try pair.client.writeAll(empty, mode: .zeroCopy)
    #expect(try pair.client.writev(UnsafeRawBufferPointer(start: nil, count: 0), mode: .zeroCopy) == 0)
    #expect(pair.client.statistics.zeroCopySends == 0)
    #expect(try pair.client.flush(timeout: .zero) == FlushResult())
  }

  @Test(
    "Each accepted part of a send takes one id, and counting them is exact (rule 2)",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"))
  func partialSends() throws {
    var pair = try Connected()
    let memory = pinnedBytes(4 << 20)
    let accepted = try pair.client.fill(with: UnsafeRawBufferPointer(memory), mode: .zeroCopy)
    let statistics = pair.client.statistics
    // Not whole multiples: the last one, at least, was accepted in part.
    #expect(accepted % memory.count != 0)
    #expect(statistics.zeroCopyBytes == accepted)
    let reader = pair.serve { socket in try socket.read(count: accepted).count }
    let flushed = try pair.client.flush(timeout: .seconds(20))
    #expect(flushed.completed == statistics.zeroCopySends)
    #expect(pair.client.statistics.bytesInFlight == 0)
    #expect(try reader.value() == accepted)
  }

  @Test(
    "A full non-blocking socket throws wouldBlock, and nothing is lost",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"),
    arguments: [WriteMode.zeroCopy, .copy])
  func wouldBlock(_ mode: WriteMode) throws {
    var pair = try Connected()
    let memory = pinnedBytes(1 << 20)
    let accepted = try pair.client.fill(with: UnsafeRawBufferPointer(memory), mode: mode)
    let before = pair.client.statistics
    #expect(before.bytes == accepted)
    // Again: it throws again, changes nothing, and the socket is usable.
    do throws(ZeroCopyError) {
      _ = try pair.client.writev(UnsafeRawBufferPointer(memory), mode: mode)
      Issue.record("the socket is full")
    } catch {
      #expect(error.code == .wouldBlock)
      #expect(error.isSocketUsable)
      #expect(error.bytesAccepted == 0)
    }
    #expect(pair.client.statistics.zeroCopySends == before.zeroCopySends)
    var expected: [UInt8] = []
    while expected.count < accepted { expected += memory }
    let reader = pair.serve { socket in try socket.read(count: accepted) }
    #expect(try reader.value() == Array(expected[..<accepted]))
    try pair.client.flush(timeout: .seconds(20))
  }

  @Test("writeAll on a full non-blocking socket says how far it got")
  func writeAllSaysHowFar() throws {
    var pair = try Connected()
    pair.client.setBlocking(false)
    let memory = pinnedBytes(64 << 20)
    let half = UnsafeRawBufferPointer(rebasing: memory[..<(32 << 20)])
    var accepted = 0
    do throws(ZeroCopyError) {
      try pair.client.writeAll([half, half], mode: .copy)
      Issue.record("64 MiB do not fit")
    } catch {
      #expect(error.code == .wouldBlock)
      accepted = error.bytesAccepted
    }
    #expect(accepted > 0)
    #expect(accepted == pair.client.statistics.bytes)
    let expected = Array(memory[..<accepted])
    #expect(try pair.server.read(count: accepted) == expected)
  }

  @Test("O_NONBLOCK is asked of the kernel, not remembered: it may change between two calls")
  func nonblockingIsNotCached() throws {
    var pair = try Connected(client: Configuration(writeTimeout: .milliseconds(50)))
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    _ = try pair.client.fill(with: memory, mode: .copy)
    pair.client.setBlocking(true)
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .copy) }?.code == .timedOut)
    pair.client.setBlocking(false)
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .copy) }?.code == .wouldBlock
    )
  }

  @Test(
    "A writer blocked on a stalled peer ends at its time-out",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"),
    arguments: [WriteMode.zeroCopy, .copy])
  func writeTimesOut(_ mode: WriteMode) throws {
    var pair = try Connected(client: Configuration(writeTimeout: .milliseconds(100)))
    let memory = UnsafeRawBufferPointer(pinnedBytes(64 << 20))
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: mode) }
    #expect(failure?.code == .timedOut)
    #expect(failure?.isSocketUsable == true)
    #expect(failure?.bytesAccepted == pair.client.statistics.bytes)
    pair.client.abort()
  }

  @Test("Memory that cannot be read is an error, takes no id, and the socket goes on (rule 2)")
  func unreadable() throws {
    var pair = try Connected()
    let page = mmap(nil, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    defer { munmap(page, 8192) }
    for mode in [WriteMode.zeroCopy, .copy] {
      let failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(UnsafeRawBufferPointer(start: page, count: 8192), mode: mode)
      }
      #expect(failure?.code == .unreadableMemory)
      #expect(failure?.isSocketUsable == true)
    }
    let memory = pinnedBytes(1000)
    try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy)
    #expect(try pair.server.read(count: 1000) == Array(memory))
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 1)
  }

  @Test("The budget of bytes in flight is kept, by waiting, and by copying in automatic mode")
  func budget() throws {
    var pair = try Connected(client: Configuration(maximumBytesInFlight: 2 * longSend))
    let memory = UnsafeRawBufferPointer(pinnedBytes(longSend))
    let reader = pair.serve { socket in try socket.readToEnd().count }
    for _ in 0..<20 {
      try pair.client.writeAll(memory, mode: .zeroCopy)
      #expect(pair.client.statistics.bytesInFlight <= 2 * longSend)
    }
    for _ in 0..<20 {
      try pair.client.writeAll(memory, mode: .automatic)
      #expect(pair.client.statistics.bytesInFlight <= 2 * longSend)
    }
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(20))
    #expect(try reader.value() == 40 * memory.count)
  }

  @Test(
    "A stalled peer at the budget: a non-blocking zero-copy send says so, automatic copies",
    .enabled(if: isRoot, "needs root, for a send buffer of any size"))
  func budgetExhausted() throws {
    var pair = try Connected(client: Configuration(maximumBytesInFlight: 4 << 10))
    // Fills the peer, so that what follows is not acknowledged.
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    _ = try pair.client.fill(with: memory, mode: .copy)
    pair.client.setOption(SOL_SOCKET, Option.sendBufferForce, 64 << 20)
    #expect(try pair.client.writev(memory, mode: .zeroCopy) > 0)
    #expect(pair.client.statistics.inFlight == 1)
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }?.code
        == .inFlightLimit)
    #expect(try pair.client.writev(memory, mode: .automatic) > 0)
    #expect(pair.client.statistics.inFlight == 1)
    #expect(pair.client.statistics.fallbacks == 1)
  }
}
