import Glibc
import TestSupport
import Testing
import ZeroCopy

extension LimitTests {
  /// A queueing discipline drops what its queue has no room for, and with IP_RECVERR says so.
  @Suite("Dropped datagrams (rule 18)", .enabled(if: mayMakeNetworks, "needs root, for a network of its own"))
  struct DatagramDrop {
    @Test(
      "Each datagram is either accepted and arrives once, or told as dropped and never arrives",
      arguments: [(WriteMode.zeroCopy, 1000), (.automatic, 50_000), (.copy, 1000)])
    func dropped(_ mode: WriteMode, _ size: Int) throws {
      try onOwnThread {
        // Room for a few, which leave slowly also beside a slow machine: one in 32 ms.
        try enterNewNetwork(
          """
          ip link set lo up
          tc qdisc add dev lo root tbf rate \(size / 4)kbit burst \(size + 600) limit \(4 * (size + 100))
          """)
        var pair = try Datagrams("127.0.0.1", client: Configuration(mode: mode))
        pair.client.setOption(Int32(IPPROTO_IP), IP_RECVERR, 1)
        pair.server.setBlocking(false)
        var awaited: [UnsafeRawBufferPointer] = []
        var accepted = 0
        var dropped = 0
        for number in 0..<30 {
          let memory = UnsafeRawBufferPointer(pinnedBytes(size, seed: UInt64(number)))
          let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory) }
          if let failure {
            #expect(failure.code == .datagramDropped)
            #expect(failure.isSocketUsable)
            dropped += 1
          } else {
            accepted += 1
            awaited.append(memory)
          }
          // Read at once: else the receiver drops some as well.
          while let next = awaited.first, try pair.server.expectDatagramIfAny(next) { awaited.removeFirst() }
        }
        #expect(accepted > 0 && dropped > 0)
        pair.server.setBlocking(true)
        for memory in awaited { try pair.server.expectDatagram(memory) }
        try pair.client.flush(timeout: .seconds(20))
        let statistics = pair.client.statistics
        #expect(statistics.sends == accepted)
        #expect(statistics.completed == statistics.zeroCopySends)
        #expect(statistics.unknownNotifications == 0)
        #expect(statistics.settled == 0)
        // What was dropped without being copied was tried once more by copying, which is dropped as a rule too.
        if mode == .automatic { #expect(statistics.fallbacks > 0) }
        pair.server.setBlocking(false)
        #expect(error { () throws(ZeroCopyError) in try pair.server.readOneByte() }?.code == .wouldBlock)
      }
    }

    @Test(
      "A datagram that is dropped after its first fragments have left keeps its id, and no later one is early"
    )
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
}
