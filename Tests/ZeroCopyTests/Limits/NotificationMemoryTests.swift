import Glibc
import TestSupport
import Testing

@testable import ZeroCopy

extension LimitTests {
  @Suite(
    "Notification memory (rule 17)", .enabled(if: mayMakeNetworks, "needs root, for a network of its own"))
  struct NotificationMemory {
    @Test(
      "Sends of a stream that cannot merge use it up: told as such, and automatic mode copies",
      .enabled(if: isRootOfAll, "needs root outside a user namespace, for a send buffer of any size"))
    func stream() throws {
      var pair = try Connected()
      var expected = try pair.stall()
      try expectNotificationMemory(sendUntilFailure(&pair.client, pinnedBytes(1), &expected))
      let sends = pair.client.statistics.zeroCopySends
      #expect(pair.client.statistics.inFlight == sends)
      let large = UnsafeRawBufferPointer(pinnedBytes(longSend))
      for fallback in 1...2 {
        // It is not tried again with each send: the second is copied without asking the kernel.
        expected += large[..<(try pair.client.writev(large, mode: .automatic))]
        #expect(pair.client.statistics.fallbacks == fallback)
      }
      #expect(try pair.server.read(count: expected.count) == expected)
      #expect(try pair.client.flush(timeout: .seconds(10)).completed == sends)
    }

    @Test("Where not even one send has room it is told as well", arguments: [0, 512])
    func none(_ limit: Int) throws {
      try onOwnThread {
        try enterNewNetwork(
          """
          ip link set lo up
          test ! -w /proc/sys/net/core/optmem_max || echo \(limit) > /proc/sys/net/core/optmem_max
          """)
        var pair = try Connected()
        let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
        // Before 6.8 the limit is not a network's own.
        if SystemLimits.current.optionMemory == Int64(limit) {
          try expectNotificationMemory(
            error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) })
        }
        try pair.client.writeAll(memory, mode: .automatic)
        #expect(try pair.server.read(count: 10_000) == Array(memory))
      }
    }

    @Test(
      "Datagrams that wait in a queueing discipline use it up, also where it is lower in a network of its own"
    )
    func datagrams() throws {
      try onOwnThread {
        // One large datagram passes at once; a second one takes half a second, and holds up those behind it.
        try enterNewNetwork(
          """
          ip link set lo up && tc qdisc add dev lo root tbf rate 1mbit burst 66000 limit 1000000
          \(lowerLimit)
          """)
        var pair = try Datagrams("127.0.0.1")
        let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
        let small = UnsafeRawBufferPointer(rebasing: memory[..<1000])
        // An adopted descriptor's first send goes alone.
        try pair.client.writeAll(small, mode: .zeroCopy)
        try pair.client.flush(timeout: .seconds(10))
        try pair.server.expectDatagram(small)
        pair.client.setBlocking(false)
        for _ in 0..<2 { try pair.client.writeAll(memory, mode: .copy) }
        var sent = 0
        var failure: ZeroCopyError?
        while failure == nil, sent < 1000 {
          failure = error { () throws(ZeroCopyError) in
            try pair.client.writeAll(small, mode: .zeroCopy)
            sent += 1
          }
        }
        try expectNotificationMemory(failure)
        let large = UnsafeRawBufferPointer(rebasing: memory[..<50_000])
        try pair.client.writeAll(large, mode: .automatic)
        #expect(pair.client.statistics.fallbacks == 1)
        for _ in 0..<2 { try pair.server.expectDatagram(memory) }
        for _ in 0..<sent { try pair.server.expectDatagram(small) }
        try pair.server.expectDatagram(large)
        #expect(try pair.client.flush(timeout: .seconds(10)).completed == sent)
        #expect(pair.client.statistics.zeroCopySends == 1 + sent)
      }
    }
  }
}

/// Each network has a limit of its own from Linux 6.8 on; before, 20 KiB were usual everywhere.
private let lowerLimit =
  "if test -w /proc/sys/net/core/optmem_max; then echo 20480 > /proc/sys/net/core/optmem_max; fi"

private func expectNotificationMemory(_ failure: ZeroCopyError?) throws {
  #expect(failure?.code == .notificationMemoryLimit)
  #expect(failure?.errno == .noBufferSpace)
  #expect(failure?.isSocketUsable == true)
  #expect(failure?.description.contains("optmem_max") == true)
}
