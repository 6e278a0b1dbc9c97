#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("A bell")
  struct BellTests {
    /// Long enough for a ring that is due to arrive.
    private let moment: UInt64 = 20_000_000

    @Test("Each ring ends one wait of everyone who hears it, and is over then")
    func rings() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let bell = try Descriptor(czc_bell_open())
      let first = try Descriptor(czc_waiter_open(pair.sender))
      let second = try Descriptor(czc_waiter_open(pair.sender))
      let waiters = [first.number, second.number]
      for waiter in waiters { #expect(czc_waiter_hear(waiter, bell.number, true) == 0) }
      for _ in 0..<3 {
        czc_bell_ring(bell.number)
        for waiter in waiters {
          #expect(czc_waiter_wait(waiter, tenSeconds) == CZC_EVENT_RING)
          #expect(czc_waiter_wait(waiter, moment) == 0)
        }
      }
    }

    @Test("Many rings before a wait end it once")
    func merged() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let bell = try Descriptor(czc_bell_open())
      for _ in 0..<1000 { czc_bell_ring(bell.number) }
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(czc_waiter_hear(waiter.number, bell.number, true) == 0)
      for _ in 0..<1000 { czc_bell_ring(bell.number) }
      #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_RING)
      #expect(czc_waiter_wait(waiter.number, moment) == 0)
    }

    @Test("Who does not hear it any more sleeps")
    func unheard() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let bell = try Descriptor(czc_bell_open())
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      #expect(czc_waiter_hear(waiter.number, bell.number, true) == 0)
      czc_bell_ring(bell.number)
      #expect(czc_waiter_hear(waiter.number, bell.number, false) == 0)
      czc_bell_ring(bell.number)
      #expect(czc_waiter_wait(waiter.number, moment) == 0)
      #expect(czc_waiter_hear(waiter.number, bell.number, true) == 0)
      #expect(czc_waiter_hear(waiter.number, bell.number, true) == -EEXIST)
    }

    @Test("A notification is told beside a ring")
    func notification() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      let bell = try Descriptor(czc_bell_open())
      #expect(czc_waiter_hear(waiter.number, bell.number, true) == 0)
      #expect(send(pair.sender, 100) == 100)
      #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_ERROR)
      czc_bell_ring(bell.number)
      #expect(czc_waiter_wait(waiter.number, tenSeconds) == CZC_EVENT_RING)
      #expect(try drain(pair.sender).ids == [0])
    }

    @Test("Very many rings that nobody hears do not wait")
    func nobody() throws {
      let bell = try Descriptor(czc_bell_open())
      for _ in 0..<100_000 { czc_bell_ring(bell.number) }
    }
  }
#endif
