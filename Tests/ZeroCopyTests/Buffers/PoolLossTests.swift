import TestSupport
import Testing
import ZeroCopy

@Suite("A pool that gets no other pages")
struct PoolLossTests {
  @Test(
    "Buffers in flight when their socket ends are lost then, the others are not, and the peer gets what was sent",
    .enabled(if: !isSanitized, "a sanitizer maps memory for itself"),
    .enabled(if: (1...1 << 18).contains(mostMappings ?? 0), "needs vm.max_map_count of 262,144 at most"))
  func lost() async {
    await #expect(processExitsWith: .success) {
      let size = 50_000
      var places: [UnsafeRawBufferPointer] = []
      do {
        let pool = try BufferPool(bufferSize: size, count: 4, pages: .standard)
        var pair = try Connected()
        let before = try pair.stall()
        for round in 0..<3 {
          let buffer = try pool.filled(from: round * size)
          places.append(buffer.place)
          try pair.client.send(buffer, mode: .zeroCopy)
        }
        let ends = pair.split()
        try withoutMappingsLeft { _ = ends.client.take() }
        #expect(pool.statistics.lost == 3)
        #expect(pool.statistics.quarantined == 0)
        #expect(pool.scribbleOverAllFree() == 1)
        var server = ends.server.take()
        #expect(try server.read(count: before.count) == before)
        let (byteCount, wrongAt) = try server.readPattern()
        #expect(byteCount == 3 * size)
        #expect(wrongAt == nil)

        var other = try Connected()
        try other.client.send(pool.filled(), mode: .zeroCopy)
        #expect(try other.server.read(count: size).count == size)
        try other.client.close(timeout: .seconds(10))
        #expect(pool.statistics.free == 1)
      }
      // The pool has gone. What lies at a lost place may be somebody else's, and is not unmapped.
      #expect(places.allSatisfy(isReadable))
    }
  }
}
