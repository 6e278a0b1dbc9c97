import TestSupport
import Testing
import ZeroCopy

extension WireLaneTests {
  /// How a socket ends in the middle of its sends.
  enum AbruptEnd: String, CaseIterable { case abort, drop, closeThenDrop, resetByPeer }

  @Test(
    "Buffers of a socket that ends are scribbled over at once, and neither the peer nor the wire sees it",
    arguments: AbruptEnd.allCases)
  func abruptEnd(_ end: AbruptEnd) throws {
    let pool = try BufferPool(bufferSize: 64 << 10, count: 8)
    let tap = try WireTap()
    var quarantined = 0
    for round in 0..<(Lane.isLate ? 2 : 20) {
      var pair = try Connected.onWire(Family.withZeroCopy[round % 2])
      var sent = 0
      while pool.statistics.free > 0 {
        guard try pair.client.trySend(pool.filled(from: sent), mode: .zeroCopy).isNone else { break }
        sent += 64 << 10
      }
      let accepted = pair.client.statistics.bytes
      #expect(accepted > 0)
      switch end {
      case .abort: pair.client.abort()
      case .drop: break
      case .closeThenDrop:
        _ = error { () throws(ZeroCopyError) in try pair.client.close(timeout: .milliseconds(1)) }
      case .resetByPeer:
        try pair.serve { socket in socket.resetOnClose() }.value()
        #expect(
          error { () throws(ZeroCopyError) in try pair.client.close(timeout: .seconds(30)) }?.code
            == .connectionLost)
        #expect(pool.scribbleOverAllFree() == 8)
        continue
      }
      // The tap does not make the sender's kernel copy (rule 21): there would be nothing to see.
      #expect(pair.client.statistics.copied == 0)
      let server = pair.dropClient()
      #expect(pool.scribbleOverAllFree() == 8)
      quarantined = pool.statistics.quarantined
      var socket = server.take()
      let (byteCount, wrongAt, hasEnded) = try socket.readPatternUntilCut()
      #expect(wrongAt == nil)
      #expect(byteCount <= sent)
      // In order to its end, as after any close.
      if end != .abort {
        #expect(hasEnded)
        #expect(byteCount >= accepted)
      }
    }
    if Lane.isLate, end == .drop { #expect(quarantined > 0) }
    #expect(pool.statistics.lost == 0)
    let seen = try tap.end()
    #expect(seen.fault == nil)
    #expect(seen.ipv4Bytes > 0)
    #expect(seen.ipv6Bytes > 0)
  }
}
