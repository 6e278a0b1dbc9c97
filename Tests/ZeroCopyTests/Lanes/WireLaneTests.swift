import TestSupport
import Testing
import ZeroCopy

/// A cable to another network, whose card copies what it receives.
// One after the other: a tap on the wire sees what every test sends.
@Suite("The wire", .serialized, .lane(.wire))
struct WireLaneTests {
  @Test("No send is reported as copied, and every byte arrives", arguments: Family.withZeroCopy)
  func nothingIsCopied(family: Family) throws {
    var pair = try Connected.onWire(family)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    // A late wire is slow, too.
    let rounds = Lane.isLate ? 2 : 32
    let peer = pair.serve { socket in
      try (0..<rounds + 1).map { _ in try socket.read(count: 1 << 20) }.filter { !$0.isEmpty }
    }
    for _ in 0..<rounds { try pair.client.writeAll(memory, mode: .zeroCopy) }
    try pair.client.finishWriting()
    let result = try pair.client.flush(timeout: .seconds(60))
    #expect(result.completed == pair.client.statistics.zeroCopySends)
    #expect(result.copied == 0)
    #expect(result.remaining == 0)
    #expect(try peer.value() == [[UInt8]](repeating: Array(memory), count: rounds))
  }

  @Test("What an abort leaves behind is told, and comes back by its own notifications (rule 25)")
  func abort() throws {
    var pair = try Connected.onWire()
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    let accepted = try pair.client.fill(with: memory, mode: .zeroCopy)
    let sends = pair.client.statistics.zeroCopySends
    #expect(accepted > 0)
    let result = pair.client.abort()
    #expect(result.completed + result.remaining == sends)
    if !Lane.isLate { #expect(result.remaining == 0) }
    #expect(pair.client.statistics.unknownNotifications == 0)
  }
}
