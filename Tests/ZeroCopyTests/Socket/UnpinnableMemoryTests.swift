import CTestSupport
import Glibc
import TestSupport
import Testing
import ZeroCopy

/// Memory that send(2) can copy and the kernel cannot pin (rule 36): memfd_secret(2) makes it, and so do devices.
@Suite("Memory that cannot be pinned", .enabled(if: SecretMemory.exists, "this system has no memfd_secret"))
struct UnpinnableMemoryTests {
  @Test("Automatic mode copies it, and so does copying; only zero copy fails", arguments: [1, 4])
  func secret(_ pieces: Int) throws {
    let secret = try SecretMemory(longSend)
    var pair = try Connected()
    let peer = pair.serve { socket in try socket.readToEnd() }
    let memory = Array(secret.memory.cut(into: pieces))
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
    #expect(failure?.code == .unreadableMemory)
    #expect(failure?.isSocketUsable == true)
    #expect(failure?.bytesAccepted == 0)
    for mode in [WriteMode.automatic, .copy, .automatic] { try pair.client.writeAll(memory, mode: mode) }
    #expect(pair.client.statistics.fallbacks > 0)
    try pair.client.close(timeout: .seconds(10))
    #expect(try peer.value().count == 3 * longSend)
  }

  @Test("So it is with datagrams")
  func datagrams() throws {
    let secret = try SecretMemory(60_000)
    var pair = try Datagrams("127.0.0.1")
    for mode in [WriteMode.automatic, .copy] {
      try pair.client.writeAll(secret.memory, mode: mode)
      try pair.server.expectDatagram(secret.memory)
    }
  }
}

private struct SecretMemory: ~Copyable {
  let memory: UnsafeRawBufferPointer

  static var exists: Bool {
    guard let start = cts_secret_memory(4096) else { return false }
    munmap(start, 4096)
    return true
  }

  init(_ count: Int) throws {
    guard let start = cts_secret_memory(count) else {
      throw SystemFailure(call: "mapping secret memory", errno: errno)
    }
    memset(start, 7, count)
    memory = UnsafeRawBufferPointer(start: start, count: count)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: memory.baseAddress), memory.count) }
}
