import Glibc
import TestSupport
import Testing
import ZeroCopy

/// ENOBUFS is one errno with several causes (rules 16 to 18). These need root, to lay a capability down or
/// to make a network.
@Suite("Limits", .serialized, .enabled(if: isRoot, "needs root"))
struct LimitTests {
  @Test("A send above the locked-memory limit is told as such, and copied in automatic mode (rule 16)")
  func tooLarge() throws {
    try onOwnThread {
      var pair = try Connected()
      try limitLockedMemory(to: 65_536)
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
      let peer = pair.serve { socket in try socket.read(count: 1 << 20) }
      try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .automatic)
      #expect(try peer.value() == Array(memory))
      #expect(pair.client.statistics.fallbacks > 0)
      #expect(pair.client.statistics.zeroCopySends == 0)
    }
  }

  @Test("Sends that fit the limit one by one wait for each other, and all arrive")
  func backpressure() throws {
    try onOwnThread {
      var pair = try Connected()
      try limitLockedMemory(to: 65_536)
      let memory = pinnedBytes(32_768)
      let peer = pair.serve { socket in try socket.readToEnd() }
      for _ in 0..<300 { try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy) }
      try pair.client.finishWriting()
      #expect(try pair.client.flush(timeout: .seconds(20)).completed == pair.client.statistics.zeroCopySends)
      let received = try peer.value()
      #expect(received.count == 300 * memory.count)
      #expect(stride(from: 0, to: received.count, by: memory.count).allSatisfy { received[$0] == memory[0] })
    }
  }

  @Test("24 one-byte sends in flight fill 64 KiB, and a non-blocking socket says so")
  func manySmall() throws {
    try onOwnThread {
      var pair = try Connected()
      let before = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(1 << 20)), mode: .copy)
      pair.client.setOption(SOL_SOCKET, Option.sendBufferForce, 64 << 20)
      try limitLockedMemory(to: 65_536)
      let byte = UnsafeRawBufferPointer(pinnedBytes(1))
      var sent = 0
      var failure: ZeroCopyError?
      while failure == nil, sent < 1000 {
        failure = error { () throws(ZeroCopyError) in
          try pair.client.writeAll(byte, mode: .zeroCopy)
          sent += 1
        }
      }
      #expect(failure?.code == .lockedMemoryLimit)
      #expect(sent == pair.client.statistics.zeroCopySends)
      #expect(try pair.server.read(count: before + sent).count == before + sent)
      #expect(try pair.client.flush(timeout: .seconds(10)).completed == sent)
    }
  }

  @Test(
    "A datagram that is dropped after its first fragments have left keeps its id, and no later one is early")
  func droppedFragments() throws {
    try onOwnThread {
      // A device that swallows packets, behind a queue that takes a few and lets them go slowly.
      try enterNewNetwork(
        """
        ip link add s0 type ifb && ip link set s0 mtu 1500 up && ip address add 10.9.8.1/24 dev s0
        ip neighbour add 10.9.8.2 lladdr 02:00:00:00:00:02 dev s0
        tc qdisc add dev s0 root tbf rate 200kbit burst 1600 limit 12000
        """)
      var socket = try ZeroCopySocket.connect(to: "udp:10.9.8.2:9000")
      socket.setOption(Int32(IPPROTO_IP), IP_RECVERR, 1)
      let large = UnsafeRawBufferPointer(pinnedBytes(40_000))
      let small = UnsafeRawBufferPointer(pinnedBytes(1000))
      let failure = error { () throws(ZeroCopyError) in try socket.writeAll(large, mode: .zeroCopy) }
      #expect(failure?.code == .datagramDropped)
      #expect(failure?.isSocketUsable == true)
      // Its first fragments wait in the queue, and with them the memory.
      #expect(socket.statistics.inFlight == 1)
      #expect(error { () throws(ZeroCopyError) in try socket.flush(timeout: .zero) }?.code == .timedOut)
      try socket.flush(timeout: .seconds(20))
      #expect(socket.statistics.completed == 0)
      for _ in 0..<5 {
        try socket.writeAll(small, mode: .zeroCopy)
        #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: 1))
      }
      #expect(socket.statistics.unknownNotifications == 0)
      #expect(socket.statistics.settled == 0)
    }
  }
}
