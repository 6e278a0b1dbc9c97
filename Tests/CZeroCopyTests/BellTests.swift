#if os(Linux)
  import CZeroCopy
  import Testing

  @Suite("A bell")
  struct BellTests {
    @Test("A ring ends one wait, and one only; also a ring that came before the wait")
    func rings() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      let bell = try Descriptor(czc_bell_open())
      czc_bell_ring(bell.number)
      czc_bell_ring(bell.number)
      let start = czc_now()
      #expect(czc_waiter_wait_beside(waiter.number, bell.number, tenSeconds) == 0)
      #expect(czc_waiter_wait_beside(waiter.number, bell.number, tenSeconds) == 0)
      #expect(czc_now() - start < tenSeconds, "the time was up, and no ring was heard")
      let begin = czc_now()
      #expect(czc_waiter_wait_beside(waiter.number, bell.number, 20_000_000) == 0)
      #expect(czc_now() - begin >= 20_000_000, "a ring was heard twice")
    }

    @Test("A notification is told as without the bell")
    func notification() throws {
      let pair = try Loopback.tcp4.connectedPair()
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      let bell = try Descriptor(czc_bell_open())
      #expect(send(pair.sender, 100) == 100)
      #expect(czc_waiter_wait_beside(waiter.number, bell.number, tenSeconds) == CZC_EVENT_ERROR)
      #expect(try drain(pair.sender).ids == [0])
    }

    @Test("Very many rings that nobody hears do not wait")
    func unheard() throws {
      let bell = try Descriptor(czc_bell_open())
      for _ in 0..<100_000 { czc_bell_ring(bell.number) }
    }
  }
#endif
