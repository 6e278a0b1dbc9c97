import TestSupport
import Testing
import ZeroCopy

extension LimitTests {
  @Suite("Locked memory (rule 16)")
  struct LockedMemory {
    @Test("A send above the limit is told as such, and copied in automatic mode")
    func tooLarge() throws {
      try lockingAtMost(65_536) {
        var pair = try Connected()
        let memory = pinnedBytes(1 << 20)
        let failure = error { () throws(ZeroCopyError) in
          try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy)
        }
        #expect(failure?.code == .lockedMemoryLimit)
        #expect(failure?.bytesAccepted == 0)
        #expect(failure?.isSocketUsable == true)
        #expect(failure?.description.contains("65536 bytes") == true)
        // 1 MiB is 256 pages, and the kernel counts two more.
        #expect(failure?.description.contains("\(258 * 4096)") == true)
        let peer = pair.serve { socket in try socket.readToEnd() }
        try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .automatic)
        try pair.client.finishWriting()
        #expect(try peer.value() == Array(memory))
        #expect(pair.client.statistics.fallbacks > 0)
        #expect(pair.client.statistics.zeroCopySends == 0)
      }
    }

    @Test("Sends that fit the limit one by one wait for each other, and all arrive")
    func backpressure() throws {
      try lockingAtMost(65_536) {
        var pair = try Connected()
        let peer = pair.serve { socket in try socket.readPattern() }
        var sender = ScribblingSender(slots: 16, byteCount: 32_768)
        for _ in 0..<300 { try sender.send(32_768, mode: .zeroCopy, on: &pair.client) }
        #expect(sender.failures == 0)
        try pair.client.finishWriting()
        try pair.client.flush(timeout: .seconds(20))
        #expect(pair.client.statistics.completed == pair.client.statistics.zeroCopySends)
        let (byteCount, wrongAt) = try peer.value()
        #expect(byteCount == sender.sent)
        #expect(wrongAt == nil)
      }
    }

    @Test(
      "Sends in flight fill the limit, small ones too, and a non-blocking socket says so",
      arguments: [1, 20_000])
    func manyInFlight(_ size: Int) throws {
      try lockingAtMost(65_536) {
        var pair = try Connected()
        var expected = try pair.stall()
        let memory = pinnedBytes(size)
        let failure = sendUntilFailure(&pair.client, memory, &expected)
        #expect(failure?.code == .lockedMemoryLimit)
        #expect(failure?.isSocketUsable == true)
        let sends = pair.client.statistics.zeroCopySends
        // 16 pages, and two a send more than it fills.
        #expect((1...8).contains(sends))
        #expect(pair.client.statistics.inFlight == sends)
        let large = pinnedBytes(longSend)
        expected += large[..<(try pair.client.writev(UnsafeRawBufferPointer(large), mode: .automatic))]
        #expect(pair.client.statistics.fallbacks == 1)
        #expect(try pair.server.read(count: expected.count) == expected)
        #expect(try pair.client.flush(timeout: .seconds(10)).completed == sends)
        // With nothing in flight the limit is free again.
        try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy)
        #expect(try pair.server.read(count: size) == Array(memory))
        try pair.client.flush(timeout: .seconds(10))
      }
    }

    @Test("Eight one-byte sends fill 64 KiB, though they merge: each counts two pages of its own")
    func oneByteEach() throws {
      try lockingAtMost(65_536) {
        var pair = try Connected()
        var expected = try pair.stall()
        let byte = pinnedBytes(1)
        var failure: ZeroCopyError?
        for _ in 0..<1000 where failure == nil {
          failure = error { () throws(ZeroCopyError) in
            try pair.client.writeAll(UnsafeRawBufferPointer(byte), mode: .zeroCopy)
          }
          if failure == nil { expected.append(byte[0]) }
        }
        #expect(failure?.code == .lockedMemoryLimit)
        // 16 pages, and two a send; fewer where another process of this user has some.
        #expect((1...8).contains(pair.client.statistics.zeroCopySends))
        #expect(try pair.server.read(count: expected.count) == expected)
        try pair.client.flush(timeout: .seconds(10))
        #expect(pair.client.statistics.completed == pair.client.statistics.zeroCopySends)
      }
    }

    @Test("A blocking socket waits for its own sends as long as writeTimeout says, and then names the limit")
    func waits() throws {
      try lockingAtMost(65_536) {
        var pair = try Connected(client: Configuration(writeTimeout: .milliseconds(50)))
        var expected = try pair.stall()
        pair.client.setBlocking(true)
        let failure = sendUntilFailure(&pair.client, pinnedBytes(1), &expected)
        #expect(failure?.code == .lockedMemoryLimit)
        #expect(try pair.server.read(count: expected.count) == expected)
        try pair.client.flush(timeout: .seconds(10))
        #expect(pair.client.statistics.completed == pair.client.statistics.zeroCopySends)
      }
    }

    @Test("Two sockets of one user share the limit: one that has nothing in flight meets it too")
    func shared() throws {
      try lockingAtMost(65_536) {
        var first = try Connected()
        var second = try Connected()
        var expected = try first.stall()
        #expect(sendUntilFailure(&first.client, pinnedBytes(1), &expected)?.code == .lockedMemoryLimit)
        let memory = pinnedBytes(longSend)
        // A blocking one: nothing of its own is in flight, and waiting would wait for ever.
        let failure = error { () throws(ZeroCopyError) in
          try second.client.writeAll(UnsafeRawBufferPointer(rebasing: memory[..<1000]), mode: .zeroCopy)
        }
        #expect(failure?.code == .lockedMemoryLimit)
        #expect(failure?.description.contains("0 sends of 0 bytes are in flight on this socket") == true)
        let peer = second.serve { socket in try socket.readToEnd() }
        try second.client.writeAll(UnsafeRawBufferPointer(memory), mode: .automatic)
        #expect(second.client.statistics.fallbacks == 1)
        #expect(second.client.statistics.zeroCopySends == 0)
        // The first one's sends done, the second one's go.
        #expect(try first.server.read(count: expected.count) == expected)
        try first.client.flush(timeout: .seconds(10))
        try second.client.writeAll(UnsafeRawBufferPointer(rebasing: memory[..<1000]), mode: .zeroCopy)
        try second.client.finishWriting()
        #expect(try second.client.flush(timeout: .seconds(10)).completed == 1)
        #expect(try peer.value() == Array(memory) + memory[..<1000])
      }
    }
  }
}

/// Sends the same memory again and again, each time with a copied byte behind it, so that no two sends merge,
/// and adds what was accepted to `expected`.
func sendUntilFailure(
  _ socket: inout ZeroCopySocket, _ memory: UnsafeMutableRawBufferPointer, _ expected: inout [UInt8]
) -> ZeroCopyError? {
  let piece = UnsafeRawBufferPointer(memory)
  var failure: ZeroCopyError?
  for _ in 0..<10_000 where failure == nil {
    failure = error { () throws(ZeroCopyError) in
      try socket.writeAll(piece, mode: .zeroCopy)
      expected += piece
      try socket.writeAll(UnsafeRawBufferPointer(rebasing: piece[..<1]), mode: .copy)
      expected.append(piece[0])
    }
    if let failure { expected += piece[..<failure.bytesAccepted] }
  }
  return failure
}
