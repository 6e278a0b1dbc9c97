import TestSupport
import Testing
import ZeroCopy

@Suite("Modes")
struct ModeTests {
  @Test("Zero copy on a UNIX socket is an error with the reason, and nothing is sent")
  func unavailable() throws {
    var pair = try Connected(.unix)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
    #expect(failure?.code == .zeroCopyUnavailable)
    #expect(failure?.isSocketUsable == true)
    #expect(failure?.description.contains("UNIX") == true)
    // Even of nothing: the mode is what cannot be had.
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(empty, mode: .zeroCopy) }?.code
        == .zeroCopyUnavailable)
    #expect(pair.client.statistics.bytes == 0)
  }

  @Test("Automatic mode copies where zero copy cannot be had, and counts it")
  func automaticFallsBack() throws {
    var pair = try Connected(.unix)
    let memory = pinnedBytes(1 << 20)
    let peer = pair.serve { socket in try socket.read(count: 1 << 20) }
    try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .automatic)
    #expect(try peer.value() == Array(memory))
    #expect(pair.client.statistics.fallbacks > 0)
  }

  @Test("Automatic mode chooses by size: small sends are copied, large ones are not")
  func bySize() throws {
    var pair = try Connected()
    let peer = pair.serve { socket in try socket.readToEnd().count }
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(4096)), mode: .automatic)
    #expect(pair.client.statistics.zeroCopySends == 0)
    #expect(pair.client.statistics.fallbacks == 0)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(4 << 20)), mode: .automatic)
    #expect(pair.client.statistics.zeroCopySends > 0)
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(10))
    #expect(try peer.value() == 4096 + 4 << 20)
  }

  @Test(
    "The configuration's mode is what a call does that names none", arguments: [WriteMode.copy, .zeroCopy])
  func fromConfiguration(_ mode: WriteMode) throws {
    var pair = try Connected(client: Configuration(mode: mode))
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    try pair.client.writeAll(memory)
    try pair.client.writeAll([memory])
    _ = try pair.client.writev(memory)
    _ = try pair.client.writev([memory])
    try pair.client.writeAndFlush([1].span, timeout: .seconds(10))
    #expect(pair.client.statistics.zeroCopySends == (mode == .zeroCopy ? 5 : 0))
    #expect(try pair.server.read(count: 4001).count == 4001)
  }
}
