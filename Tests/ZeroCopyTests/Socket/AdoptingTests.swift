import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("Adopting and relinquishing")
struct AdoptingTests {
  @Test(
    "A descriptor that cannot be sent with is refused and stays the caller's",
    arguments: OddDescriptor.allCases)
  func refused(_ kind: OddDescriptor) throws {
    let descriptor = kind.make()
    let failure = error { () throws(ZeroCopyError) in _ = try ZeroCopySocket(adopting: descriptor) }
    #expect(failure?.code == .unsuitableDescriptor)
    if kind != .closed { try descriptor.close() }
  }

  @Test(
    "The counter of an adopted descriptor is learnt, whatever was sent before (rule 6)",
    arguments: [0, 1, 5, 300])
  func learnsBase(_ earlier: Int) throws {
    var pair = try Connected()
    let descriptor = try pair.client.relinquish()
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for _ in 0..<earlier {
      #expect(rawZeroCopySend(descriptor, memory) == 1000)
      _ = try pair.server.read(count: 1000)
    }
    drainErrorQueue(descriptor)
    var adopted = try ZeroCopySocket(adopting: descriptor)
    #expect(adopted.availability == .available)
    let peer = pair.serve { socket in try socket.readToEnd().count }
    for _ in 0..<100 { try adopted.writeAll(memory, mode: .zeroCopy) }
    try adopted.finishWriting()
    #expect(try adopted.flush(timeout: .seconds(10)).completed == 100)
    #expect(adopted.statistics.unknownNotifications == 0)
    #expect(adopted.statistics.settled == 0)
    #expect(try peer.value() == 100_000)
  }

  @Test("Notifications that the earlier owner left unread are dropped")
  func unread() throws {
    var pair = try Connected()
    let descriptor = try pair.client.relinquish()
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for _ in 0..<10 { #expect(rawZeroCopySend(descriptor, memory) == 1000) }
    _ = try pair.server.read(count: 10_000)
    // The acknowledgement is in by the time that an answer is.
    try pair.server.writeAll(memory, mode: .copy)
    var adopted = try ZeroCopySocket(adopting: descriptor)
    _ = try adopted.read(count: 1000)
    for _ in 0..<10 {
      try adopted.writeAll(memory, mode: .zeroCopy)
      _ = try pair.server.read(count: 1000)
    }
    #expect(try adopted.flush(timeout: .seconds(10)).completed == 10)
    #expect(adopted.statistics.unknownNotifications == 0)
  }

  @Test(
    "With sends of the earlier owner in flight zero copy is unavailable, until they are over",
    .enabled(if: isRoot, "needs root, for a send buffer of any size"))
  func earlierSends() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(1 << 20)), mode: .copy)
    pair.client.setOption(SOL_SOCKET, Option.sendBufferForce, 64 << 20)
    let before = pair.client.statistics.bytes
    let descriptor = try pair.client.relinquish()
    let memory = UnsafeRawBufferPointer(pinnedBytes(longSend))
    let accepted = rawZeroCopySend(descriptor, memory)
    #expect(accepted > 0)

    var adopted = try ZeroCopySocket(adopting: descriptor)
    #expect(adopted.availability == .unavailable(.earlierSends))
    #expect(
      error { () throws(ZeroCopyError) in try adopted.writeAll(memory, mode: .zeroCopy) }?.code
        == .zeroCopyUnavailable)
    let copied = try adopted.writev(memory, mode: .automatic)
    #expect(adopted.statistics.fallbacks == 1)
    #expect(adopted.statistics.zeroCopySends == 0)

    let all = before + accepted + copied
    #expect(try pair.server.read(count: all).count == all)
    while error(of: { () throws(ZeroCopyError) in try adopted.writeAll(memory, mode: .zeroCopy) })?.code
      == .zeroCopyUnavailable
    {}
    #expect(adopted.availability == .available)
    let peer = pair.serve { socket in try socket.readToEnd().count }
    try adopted.finishWriting()
    try adopted.flush(timeout: .seconds(10))
    #expect(try peer.value() == adopted.statistics.zeroCopyBytes)
  }

  @Test(
    "The first zero-copy send of an adopted descriptor goes alone",
    .enabled(if: isRoot, "needs root, for a send buffer of any size"))
  func firstGoesAlone() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(1 << 20)), mode: .copy)
    pair.client.setOption(SOL_SOCKET, Option.sendBufferForce, 64 << 20)
    var adopted = try ZeroCopySocket(adopting: try pair.client.relinquish())
    let memory = UnsafeRawBufferPointer(pinnedBytes(longSend))
    #expect(try adopted.writev(memory, mode: .zeroCopy) > 0)
    #expect(
      error { () throws(ZeroCopyError) in try adopted.writeAll(memory, mode: .zeroCopy) }?.code
        == .inFlightLimit)
    #expect(try adopted.writev(memory, mode: .automatic) > 0)
    #expect(adopted.statistics.inFlight == 1)
  }

  @Test("A socket with sends in flight cannot be relinquished; after a flush it can, and is closed then")
  func relinquish() throws {
    var pair = try Connected()
    let accepted = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let failure = error { () throws(ZeroCopyError) in _ = try pair.client.relinquish() }
    #expect(failure?.code == .sendsInFlight)
    #expect(failure?.isSocketUsable == true)
    #expect(try pair.server.read(count: accepted).count == accepted)
    try pair.client.flush(timeout: .seconds(10))
    let descriptor = try pair.client.relinquish()
    #expect(pair.client.fileDescriptor.rawValue == -1)
    #expect(try descriptor.writeAll([1, 2, 3]) == 3)
    #expect(try pair.server.read(count: 3) == [1, 2, 3])
    try descriptor.close()
  }

  @Test("Another owner's sends on a duplicate release nothing of ours, and nothing hangs")
  func sharedByMistake() throws {
    var pair = try Connected()
    let twin = FileDescriptor(rawValue: dup(pair.client.fileDescriptor.rawValue))
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    #expect(rawZeroCopySend(twin, memory) == 1000)
    try pair.client.writeAll(memory, mode: .zeroCopy)
    let peer = pair.serve { socket in try socket.readToEnd().count }
    #expect(try pair.client.flush(timeout: .seconds(20)).remaining == 0)
    // Our counts were off by one; they are learnt anew, and later sends are confirmed one by one.
    for _ in 0..<50 { try pair.client.writeAll(memory, mode: .zeroCopy) }
    #expect(try pair.client.flush(timeout: .seconds(20)).remaining == 0)
    #expect(pair.client.statistics.settled >= 1)
    #expect(pair.client.statistics.completed == 51)
    try pair.client.finishWriting()
    #expect(try peer.value() == 52_000)
    try twin.close()
  }

  @Test("A descriptor whose owner had ended its side reads the peer's end as one")
  func halfClosed() throws {
    var pair = try Connected()
    let descriptor = try pair.client.relinquish()
    #expect(shutdown(descriptor.rawValue, Int32(SHUT_WR)) == 0)
    var adopted = try ZeroCopySocket(adopting: descriptor)
    try [1, 2, 3].withUnsafeBytes { try pair.server.writeAll($0) }
    try pair.serve { _ in }.value()
    // Closed in order by both: no state that a reset leaves could be told from it.
    #expect(try adopted.readToEnd().count == 24)
    #expect(try adopted.readOneByte() == 0)
  }
}
