#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("The error queue of a real socket tells which sends are done")
  struct ErrorQueueTests {
    @Test("An empty queue answers 0 and no messages", arguments: Loopback.available)
    func emptyQueue(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      var notification = czc_notification()
      var reaped = czc_reaped(messages: 9, notifications: 9, foreign: 9, truncated: 9)
      #expect(czc_read_notifications(pair.sender, &notification, 1, &reaped) == 0)
      #expect(reaped.messages == 0)
      #expect(reaped.notifications == 0)
      #expect(reaped.foreign == 0)
      #expect(reaped.truncated == 0)
    }

    @Test("No descriptor is an error, and not an empty queue")
    func badDescriptor() {
      var notification = czc_notification()
      var reaped = czc_reaped()
      #expect(czc_read_notifications(-1, &notification, 1, &reaped) == -EBADF)
    }

    @Test("Sends over loopback take ids from 0 and are reported copied", arguments: Loopback.available)
    func copiedOverLoopback(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      for id in 0..<3 as Range<UInt32> {
        #expect(send(pair.sender, 1000) == 1000)
        let drained = try drain(pair.sender, until: 1)
        #expect(drained.ids == [id])
        #expect(drained.allCopied)
        #expect(drained.foreign == 0)
      }
    }

    @Test(
      "Unread notifications merge: few messages name every send once", .enabled(if: lockedMemoryIsAmple),
      arguments: Loopback.available)
    func unreadNotificationsMerge(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let baseline = czc_option_memory(pair.sender)
      for _ in 0..<100 { try #require(send(pair.sender, 1) == 1) }
      let drained = try drain(pair.sender, until: 100)
      #expect(drained.ids == Array(0..<100))
      #expect(drained.messages < 50)
      #expect(waitUntilAtRest(pair.sender, baseline: baseline))
    }

    @Test("Time stamps are counted as foreign, and no notification is lost", arguments: Loopback.available)
    func timestamps(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      // SO_TIMESTAMPING: the driver's and the scheduler's time stamp of each send, told by software.
      try setOption(pair.sender, level: SOL_SOCKET, name: 37, 1 << 1 | 1 << 8 | 1 << 4)
      for _ in 0..<20 { try #require(send(pair.sender, 100) == 100) }
      let drained = try drain(pair.sender, until: 20)
      #expect(drained.ids == Array(0..<20))
      #expect(drained.foreign > 0)
      #expect(drained.truncated == 0)
      #expect(drained.messages == drained.foreign + drained.notifications.count)
    }

    @Test("A read takes no more messages than it was given room for")
    func capacity() throws {
      let pair = try Loopback.udp4.connectedPair()
      try setOption(pair.sender, level: SOL_SOCKET, name: 37, 1 << 1 | 1 << 4)
      // Few enough for 20 KiB of notification memory, the default before Linux 6.8 (rule 17).
      for _ in 0..<20 { try #require(send(pair.sender, 100) == 100) }
      var notifications = [czc_notification](repeating: czc_notification(), count: 100)
      var reaped = czc_reaped()
      #expect(czc_read_notifications(pair.sender, &notifications, 0, &reaped) == 0)
      #expect(reaped.messages == 0)
      #expect(czc_read_notifications(pair.sender, &notifications, 1, &reaped) == 0)
      #expect(reaped.messages == 1)
      #expect(czc_read_notifications(pair.sender, &notifications, 100, &reaped) == 0)
      #expect(reaped.messages == CZC_MAX_NOTIFICATIONS)
    }

    @Test("An ICMP error is foreign and no failure of the read")
    func icmpError() throws {
      let sender = try Loopback.udp4.openSocket(zeroCopy: true)
      try setOption(sender.number, level: 0, name: 11, 1)  // IP_RECVERR
      // A port that is taken, by a socket which is connected elsewhere, is closed to us and stays so.
      let closed = try Loopback.udp4.boundSocket()
      let elsewhere = try Loopback.udp4.boundSocket()
      var other = try localAddress(elsewhere.number)
      try #require(czc_connect(closed.number, &other, tenSeconds) == 0)
      var address = try localAddress(closed.number)
      try #require(czc_connect(sender.number, &address, tenSeconds) == 0)

      #expect(send(sender.number, 100) == 100)
      let drained = try drain(sender.number, until: 1)
      #expect(drained.ids == [0])
      #expect(drained.foreign == 1)
      #expect(drained.truncated == 0)
    }

    @Test("Without SO_ZEROCOPY the flag copies in silence and never notifies", arguments: Loopback.available)
    func flagWithoutOption(kind: Loopback) throws {
      let pair = try kind.connectedPair(zeroCopy: false)
      let baseline = czc_option_memory(pair.sender)
      #expect(czc_zerocopy_enabled(pair.sender) == 0)
      #expect(send(pair.sender, 1000) == 1000)
      #expect(czc_option_memory(pair.sender) == baseline)
      #expect(try drain(pair.sender).messages == 0)
    }

    @Test("The ids go on counting where the option was off in between", arguments: Loopback.available)
    func counterSurvivesTheOption(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(send(pair.sender, 10) == 10)
      #expect(try drain(pair.sender, until: 1).ids == [0])
      try setOption(pair.sender, level: SOL_SOCKET, name: 60, 0)  // SO_ZEROCOPY
      #expect(send(pair.sender, 10) == 10)
      #expect(czc_enable_zerocopy(pair.sender) == 0)
      #expect(send(pair.sender, 10) == 10)
      #expect(try drain(pair.sender, until: 1).ids == [1])
    }

    @Test("The option stays on through sends and reads of the queue", arguments: Loopback.available)
    func optionSurvives(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(send(pair.sender, 10) == 10)
      _ = try drain(pair.sender, until: 1)
      #expect(czc_zerocopy_enabled(pair.sender) == 1)
    }

    @Test("Option memory counts a send until its notification is read", arguments: Loopback.available)
    func optionMemory(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let baseline = try checked(czc_option_memory(pair.sender))
      let block = czc_notification_block_size()
      #expect(block > 0)
      #expect(send(pair.sender, 1000) == 1000)
      // In flight or unread, it is one block either way.
      #expect(czc_option_memory(pair.sender) == baseline + block)
      #expect(try drain(pair.sender, until: 1).ids == [0])
      #expect(czc_option_memory(pair.sender) == baseline)
    }
  }
#endif
