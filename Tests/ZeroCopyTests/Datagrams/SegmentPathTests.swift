import CZeroCopy
import DequeModule
import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// A device that swallows packets, with an MTU of the test's own.
@Suite(
  "Segments, datagrams and the path", .enabled(if: mayMakeNetworks, "needs root, for a network of its own"))
struct SegmentPathTests {
  private static func enterSink(mtu: Int, _ more: String = "") throws {
    try enterNewNetwork(
      """
      ip link add s0 type ifb && ip link set s0 mtu \(mtu) up && ip address add 10.9.8.1/24 dev s0
      ip neighbour add 10.9.8.2 lladdr 02:00:00:00:00:02 dev s0
      ip address add fd98::1/64 dev s0 nodad && ip neighbour add fd98::2 lladdr 02:00:00:00:00:02 dev s0
      \(more)
      """)
  }

  @Test(
    "Automatic mode copies exactly the datagrams that the kernel would copy (rule 21)",
    arguments: [("udp:10.9.8.2:9000", 28), ("udp:[fd98::2]:9000", 48)])
  func aboveMTU(_ endpoint: String, _ headers: Int) throws {
    try onOwnThread {
      try Self.enterSink(mtu: 50_000)
      var socket = try ZeroCopySocket.connect(to: endpoint)
      let memory = UnsafeRawBufferPointer(pinnedBytes(50_000))
      for size in [50_000 - headers, 50_000 - headers + 1] {
        let isAbove = size > 50_000 - headers
        let datagram = UnsafeRawBufferPointer(rebasing: memory[..<size])
        try socket.writeAll(datagram, mode: .zeroCopy)
        #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: 1, copied: isAbove ? 1 : 0))
        try socket.writeAll(datagram, mode: .automatic)
        #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: isAbove ? 0 : 1))
      }
      #expect(socket.statistics.fallbacks == 0)
    }
  }

  @Test(
    "Where the path takes longer packets later on, automatic mode finds out",
    arguments: ["udp:10.9.8.2:9000", "udp:[fd98::2]:9000"])
  func longerPackets(_ endpoint: String) throws {
    try onOwnThread {
      try Self.enterSink(mtu: 1500)
      let memory = UnsafeRawBufferPointer(pinnedBytes(50_000))
      var socket = try ZeroCopySocket.connect(to: endpoint)
      for _ in 0..<100 { try socket.writeAll(memory, mode: .automatic) }
      #expect(socket.statistics.zeroCopySends == 0)
      try runScript("ip link set s0 mtu 60000")
      for _ in 0..<1100 { try socket.writeAll(memory, mode: .automatic) }
      try socket.flush(timeout: .seconds(20))
      #expect(socket.statistics.zeroCopySends > 0)
      #expect(socket.statistics.copied == 0)
    }
  }

  @Test(
    "Of a send that is cut, it is the segment that has to fit",
    arguments: ["udp:10.9.8.2:9000", "udp:[fd98::2]:9000"])
  func segmentsFit(_ endpoint: String) throws {
    try onOwnThread {
      try Self.enterSink(mtu: 1500)
      let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
      var socket = try ZeroCopySocket.connect(to: endpoint)
      try socket.writeAll(memory, mode: .automatic)
      #expect(socket.statistics.zeroCopySends == 0)
      try socket.writeAll(memory, mode: .automatic, segmentSize: 1400)
      #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: 1))
      // What an earlier owner has set is known, too.
      socket.setOption(17, 103, 1400)
      var adopted = try ZeroCopySocket(adopting: socket.relinquish())
      try adopted.writeAll(memory, mode: .automatic)
      #expect(try adopted.flush(timeout: .seconds(20)) == FlushResult(completed: 1))
    }
  }

  @Test(
    "A segment above the MTU is refused with what fits, and no later send is released early (rule 2)",
    arguments: [("udp:10.9.8.2:9000", 1472), ("udp:[fd98::2]:9000", 1452)], SegmentTests.modes)
  func aboveMTU(_ path: (endpoint: String, longest: Int), _ mode: WriteMode) throws {
    try onOwnThread {
      try Self.enterSink(mtu: 1500)
      let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
      var socket = try ZeroCopySocket.connect(to: path.endpoint)
      for _ in 0..<10 {
        for _ in 0..<2 {
          let failure = error { () throws(ZeroCopyError) in
            try socket.writeAll(memory, mode: mode, segmentSize: path.longest + 1)
          }
          #expect(failure?.code == .messageTooLong)
          #expect(failure?.message.contains(" \(path.longest);") == true)
        }
        // In the middle of a call: what is one segment fits.
        let short = UnsafeRawBufferPointer(rebasing: memory[..<1000])
        let all = [short, memory, short]
        let accepted = try? socket.writeDatagrams(all, mode: mode, segmentSize: path.longest + 1)
        // Before 6.14 the size is refused whatever there is to cut.
        #expect(accepted == 1 || accepted == nil)
        try socket.writeAll(memory, mode: .zeroCopy, segmentSize: path.longest)
      }
      try socket.flush(timeout: .seconds(20))
      let statistics = socket.statistics
      #expect(statistics.completed == statistics.zeroCopySends)
      #expect(statistics.zeroCopySends >= 10)
      #expect(statistics.copied == 0)
      #expect(statistics.unknownNotifications == 0 && statistics.settled == 0)
    }
  }

  @Test(
    "Sends that a queue drops are told, keep their memory while a part waits, and their ids stay right (rule 18)"
  )
  func dropped() throws {
    try onOwnThread {
      // A queue that takes the packets of a few segments apart, and lets them go slowly.
      try Self.enterSink(mtu: 1500, "tc qdisc add dev s0 root tbf rate 4mbit burst 3000 limit 20000")
      var socket = try ZeroCopySocket.connect(to: "udp:10.9.8.2:9000")
      socket.setOption(Int32(IPPROTO_IP), IP_RECVERR, 1)
      let memory = UnsafeRawBufferPointer(pinnedBytes(12_000))
      var accepted = 0
      var dropped = 0
      for number in 0..<30 {
        if number % 3 == 0 {
          let count = try? socket.writeDatagrams(
            [memory, memory, memory], mode: .zeroCopy, segmentSize: 1200)
          accepted += count ?? 0
          if count != 3 { dropped += 1 }
          continue
        }
        let failure = error { () throws(ZeroCopyError) in
          try socket.writeAll(memory, mode: .zeroCopy, segmentSize: 1200)
        }
        if let failure {
          #expect(failure.code == .datagramDropped)
          dropped += 1
        } else {
          accepted += 1
        }
      }
      #expect(accepted > 0 && dropped > 0)
      try socket.flush(timeout: .seconds(20))
      #expect(socket.statistics.completed == accepted)
      #expect(socket.statistics.inFlight == 0)
      #expect(socket.statistics.unknownNotifications == 0)
      #expect(socket.statistics.settled == 0)
    }
  }

  @Test(
    "A buffer of which a part waits after its datagram was dropped leaves the queue, and is free only after that",
    arguments: [0, 2])
  func droppedBuffer(_ before: Int) throws {
    try onOwnThread {
      // A queue that takes the first fragments of a large datagram, and lets them go slowly.
      try Self.enterSink(mtu: 1500, "tc qdisc add dev s0 root tbf rate 200kbit burst 1600 limit 12000")
      var socket = try ZeroCopySocket.connect(to: "udp:10.9.8.2:9000")
      socket.setOption(Int32(IPPROTO_IP), IP_RECVERR, 1)
      let pool = try BufferPool(bufferSize: 50_000, count: before + 2, pages: .standard)
      var queue = UniqueDeque<SendBuffer>()
      for _ in 0..<before { queue.append(try pool.filled(1000)) }
      for _ in 0..<2 { queue.append(try pool.filled()) }
      if before == 0 {
        let code = error { () throws(ZeroCopyError) in
          _ = try socket.sendDatagrams(from: &queue, mode: .zeroCopy)
        }?.code
        #expect(code == .datagramDropped)
      } else {
        #expect(try socket.sendDatagrams(from: &queue, mode: .zeroCopy) == before)
      }
      let left = queue.count
      #expect(left == 1)
      #expect(socket.statistics.inFlight > 0)
      #expect(pool.statistics.free + socket.statistics.inFlight + left == before + 2)
      try socket.flush(timeout: .seconds(20))
      #expect(pool.statistics.free == before + 1)
      #expect(socket.statistics.completed == before)
      #expect(socket.statistics.unknownNotifications == 0)
    }
  }

  @Test("A socket that knows no segments, as none does before Linux 4.18, is told apart at once")
  func unknown() throws {
    try onOwnThread {
      try Self.enterSink(mtu: 1500, "ip link set lo up && echo 0 0 >/proc/sys/net/ipv4/ping_group_range")
      // Datagrams of IP, and not of UDP.
      let number = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), CInt(IPPROTO_ICMP))
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      // Without a port it would not count as connected.
      address.sin_port = 1
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      try #require(number >= 0 && result == 0)
      let descriptor = FileDescriptor(rawValue: number)
      #expect(
        error { () throws(ZeroCopyError) in
          _ = try ZeroCopySocket(adopting: descriptor, configuration: Configuration(segmentSize: 100))
        }?.code == .segmentationUnavailable)
      var socket = try ZeroCopySocket(adopting: descriptor)
      let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
      for mode in SegmentTests.modes {
        let failures = [
          error { () throws(ZeroCopyError) in try socket.writeAll(memory, mode: mode, segmentSize: 100) },
          error { () throws(ZeroCopyError) in
            _ = try socket.writeDatagrams([memory], mode: mode, segmentSize: 100)
          },
        ]
        #expect(failures.allSatisfy { $0?.code == .segmentationUnavailable && $0?.isSocketUsable == true })
      }
      #expect(socket.statistics.sends == 0)
    }
  }
}
