#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("A waiter wakes for what is new and sleeps otherwise")
  struct WaiterTests {
    /// Long enough for a wake that is due to arrive, and no claim about time.
    private let moment: UInt64 = 20_000_000

    private func wakeUps(_ waiter: Int32, atMost limit: Int) -> Int {
      var count = 0
      while count <= limit, czc_waiter_wait(waiter, moment) > 0 { count += 1 }
      return count
    }

    @Test("On an idle socket the wait ends when time is up", arguments: Loopback.available)
    func idle(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(czc_waiter_wait(waiter.number, 0) == 0)
      #expect(czc_waiter_wait(waiter.number, 1) == 0)
      #expect(czc_waiter_wait(waiter.number, moment) == 0)
    }

    @Test("A notification wakes it", arguments: Loopback.available)
    func notification(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(send(pair.sender, 100) == 100)
      #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_ERROR)
      #expect(try drain(pair.sender).ids == [0])
      #expect(czc_take_error(pair.sender) == 0, "the event is no failure of the socket")
    }

    @Test("A notification that came before the waiter wakes it too", arguments: Loopback.available)
    func earlierNotification(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let first = try Descriptor(czc_waiter_open(pair.sender))
      #expect(send(pair.sender, 100) == 100)
      try #require(czc_waiter_wait(first.number, tenSeconds) == CZC_EVENT_ERROR)
      let second = try Descriptor(czc_waiter_open(pair.sender))
      #expect(czc_waiter_wait(second.number, tenSeconds) == CZC_EVENT_ERROR)
    }

    @Test("A notification wakes it also when it merges into an unread one", arguments: Loopback.available)
    func mergedNotification(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      for _ in 0..<3 {
        #expect(send(pair.sender, 100) == 100)
        #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_ERROR)
      }
      #expect(try drain(pair.sender).ids == [0, 1, 2])
    }

    @Test("Unread notifications do not make it spin", arguments: Loopback.available)
    func unreadNotifications(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      for _ in 0..<10 { #expect(send(pair.sender, 100) == 100) }
      let count = wakeUps(waiter.number, atMost: 1_000)
      #expect((1...10).contains(count), "at most once for each, with none of them read")
      #expect(try drain(pair.sender).ids == Array(0..<10))
    }

    @Test("After the queue is drained nothing wakes it", arguments: Loopback.available)
    func drained(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      for _ in 0..<10 { #expect(send(pair.sender, 100) == 100) }
      #expect(try drain(pair.sender, until: 10).ids.count == 10)
      #expect(czc_waiter_wait(waiter.number, moment) == 0)
    }

    @Test("An orderly close from both ends does not make it spin", arguments: Loopback.streams)
    func bothEndsClosed(kind: Loopback) throws {
      // With poll this is where a loop woke for ever.
      let pair = try kind.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(send(pair.sender, 100) == 100)
      #expect(czc_shutdown(pair.receiver, Int32(CZC_SHUT_WRITE)) == 0)
      #expect(czc_shutdown(pair.sender, Int32(CZC_SHUT_WRITE)) == 0)
      var hungUp = false
      var count = 0
      while count <= 1_000 {
        let events = czc_waiter_wait(waiter.number, moment)
        if events <= 0 { break }
        hungUp = hungUp || events & Int32(CZC_EVENT_HANGUP) != 0
        count += 1
      }
      #expect(hungUp)
      #expect((1...10).contains(count))
      #expect(try drain(pair.sender, until: 1).ids == [0])
    }

    @Test("Room to write wakes it only while it is wanted")
    func writable() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(czc_waiter_wait(waiter.number, moment) == 0)
      #expect(czc_waiter_want_writable(waiter.number, pair.sender, true) == 0)
      #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_WRITABLE)
      #expect(czc_waiter_wait(waiter.number, moment) == 0, "once for each change")
      #expect(czc_waiter_want_writable(waiter.number, pair.sender, true) == 0)
      #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_WRITABLE, "asked for anew")
      #expect(czc_waiter_want_writable(waiter.number, pair.sender, false) == 0)
      #expect(czc_waiter_wait(waiter.number, moment) == 0)
    }

    @Test("A full socket is not writable until the peer has read")
    func fullSocket() throws {
      let pair = try Loopback.tcp4.connectedPair()
      try #require(czc_set_send_buffer(pair.sender, 1 << 16) == 0)
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(czc_waiter_want_writable(waiter.number, pair.sender, true) == 0)
      // What is on its way to the peer still makes room after the first EAGAIN.
      var attempts = 0
      repeat {
        while send(pair.sender, 1 << 16, flags: CZC_SEND_DONTWAIT) > 0 {}
        attempts += 1
      } while attempts < 100 && czc_waiter_wait(waiter.number, moment) > 0
      #expect(attempts < 100)
      discardInput(pair.receiver)
      #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_WRITABLE)
    }

    @Test("A reset wakes it with an error and a hang-up")
    func reset() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(czc_abort(pair.receiver) == 0)
      let events = czc_waiter_wait(waiter.number, tenSeconds)
      #expect(events == CZC_EVENT_ERROR | CZC_EVENT_HANGUP)
      #expect(czc_take_error(pair.sender) == ECONNRESET)
      #expect(czc_take_error(pair.sender) == 0, "told once")
    }

    @Test("What cannot be waited for is refused")
    func refused() throws {
      #expect(czc_waiter_open(-1) == -EBADF)
      let file = try Descriptor(open("/proc/self/exe", O_RDONLY | O_CLOEXEC))
      #expect(czc_waiter_open(file.number) == -EPERM)
      let pair = try Loopback.udp4.connectedPair()
      #expect(czc_waiter_want_writable(-1, pair.sender, true) == -EBADF)
      #expect(czc_waiter_wait(-1, 0) == -EBADF)
    }
  }
#endif
