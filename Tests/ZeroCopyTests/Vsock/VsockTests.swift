import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("vsock")
struct VsockTests {
  @Test("It works with zero copy and without, and says which", .vsock)
  func works() throws {
    var pair = try Connected.onVsock()
    let isAvailable = pair.client.availability.isAvailable
    #expect(isAvailable || pair.client.availability == .unavailable(.vsock))
    #expect(pair.server.availability == pair.client.availability)
    // More than the peer's credit, which is 256 KiB.
    let memory = UnsafeRawBufferPointer(pinnedBytes(3 << 20))
    let refusal = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(memory.bytes, timeout: .seconds(60), mode: .zeroCopy)
    }
    #expect(refusal?.code == .zeroCopyUnavailable)
    let peer = pair.serve { try $0.readToEnd() }
    try pair.client.writeAll(memory, mode: isAvailable ? .zeroCopy : .automatic)
    try pair.client.finishWriting()
    let result = try pair.client.flush(timeout: .seconds(60))
    #expect(try peer.value().elementsEqual(memory))
    #expect(result.remaining == 0 && result.completed == pair.client.statistics.zeroCopySends)
    #expect((result.completed > 0) == isAvailable)
    #expect(pair.client.statistics.settled == 0)
  }

  @Test(
    "Where it is known that there is zero copy, the sockets have it: no test is passed over",
    .enabled(if: getenv("ZEROCOPY_TEST_EXPECTS_VSOCK") != nil, "only where the environment says so"))
  func isThere() {
    #expect(Vsock.availability == .available)
  }

  @Test("An accepted socket, which inherits nothing, sends without copying too (rule 5)", .vsockZeroCopy)
  func accepted() throws {
    var pair = try Connected.onVsock()
    #expect(pair.server.availability == .available)
    let memory = UnsafeRawBufferPointer(pinnedBytes(64 << 10))
    try pair.server.writeAll(memory, mode: .zeroCopy)
    #expect(try pair.client.read(count: memory.count).elementsEqual(memory))
    let result = try pair.server.flush(timeout: .seconds(60))
    #expect(result.completed == 1 && result.copied == 0)
  }

  @Test(
    "Up to 128 bytes are copied, more are not, and no send takes more than a packet (rule 5)",
    .vsockZeroCopy, arguments: [(1, 0), (128, 0), (129, 1), (65_536, 1), (65_600, 1), (200_000, 4)])
  func packets(_ byteCount: Int, _ sends: Int) throws {
    var pair = try Connected.onVsock()
    let memory = UnsafeRawBufferPointer(pinnedBytes(byteCount))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    #expect(pair.client.statistics.zeroCopySends == sends)
    #expect(try pair.server.read(count: byteCount).elementsEqual(memory))
    #expect(try pair.client.flush(timeout: .seconds(60)).completed == sends)
  }

  @Test("Pieces of all sizes, anywhere in memory, arrive in order", .vsockZeroCopy)
  func pieces() throws {
    var pair = try Connected.onVsock()
    let memory = UnsafeRawBufferPointer(pinnedBytes(4 << 20))
    var random = SeededGenerator(seed: 1)
    var pieces: [UnsafeRawBufferPointer] = []
    var expected: [UInt8] = []
    for _ in 0..<TestScale.scaled(2_000) {
      // Empty ones, small ones, and some that are more than a packet.
      let most = [1, 128, 1_000, 9_000, 100_000].randomElement(using: &random)!
      let count = Int.random(in: 0...most, using: &random)
      let start = Int.random(in: 0...memory.count - count, using: &random)
      pieces.append(UnsafeRawBufferPointer(rebasing: memory[start..<start + count]))
      expected += pieces.last!
    }
    let peer = pair.serve { try $0.readToEnd() }
    try pair.client.writeAll(pieces, mode: .zeroCopy)
    try pair.client.finishWriting()
    #expect(areEqual(try peer.value(), expected))
    #expect(try pair.client.flush(timeout: .seconds(60)).remaining == 0)
    #expect(pair.client.statistics.zeroCopySends > 0 && pair.client.statistics.settled == 0)
  }

  @Test(
    "The counter of an adopted descriptor is learnt, whatever was sent before (rules 5, 6)", .vsockZeroCopy)
  func adopted() throws {
    var listener = try ZeroCopyListener(binding: Vsock.freeEndpoint)
    var earlier = try ZeroCopySocket.connect(to: listener.localAddress)
    let accepted = Handoff(try listener.accept(timeout: .seconds(60)))
    let memory = UnsafeRawBufferPointer(pinnedBytes(3_000))
    let descriptor = try earlier.relinquish()
    for _ in 0..<3 { #expect(rawZeroCopySend(descriptor, memory) == memory.count) }
    var peer = accepted.take()
    _ = try peer.read(count: 3 * memory.count)
    drainErrorQueue(descriptor)
    var socket = try ZeroCopySocket(adopting: descriptor)
    #expect(socket.availability == .available)
    for round in 0..<3 {
      for _ in 0...round { try socket.writeAll(memory, mode: .zeroCopy) }
      _ = try peer.read(count: (round + 1) * memory.count)
      #expect(try socket.flush(timeout: .seconds(60)).completed == round + 1)
    }
    #expect(socket.statistics.settled == 0 && socket.statistics.unknownNotifications == 0)
  }

  @Test(
    "Where somebody switches SO_ZEROCOPY off, what is then copied holds up nothing (rule 19)", .vsockZeroCopy)
  func switchedOff() throws {
    var pair = try Connected.onVsock()
    let memory = UnsafeRawBufferPointer(pinnedBytes(3_000))
    for round in 0..<4 {
      pair.client.setOption(SOL_SOCKET, Option.zeroCopy, round % 2 == 0 ? 1 : 0)
      for _ in 0..<3 { try pair.client.writeAll(memory, mode: .zeroCopy) }
    }
    _ = try pair.server.read(count: 12 * memory.count)
    let result = try pair.client.flush(timeout: .seconds(60))
    #expect(result.completed == 12 && result.remaining == 0)
  }
}
