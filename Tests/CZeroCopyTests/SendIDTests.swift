#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Which sends take an id, and which do not")
  struct SendIDTests {
    @Test("An empty send takes no id on TCP", arguments: Loopback.streams)
    func emptyStreamSend(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(send(pair.sender, 0) == 0)
      #expect(try drain(pair.sender).messages == 0)
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 1).ids == [0])
    }

    @Test("An empty datagram takes an id", arguments: Loopback.datagrams)
    func emptyDatagram(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(send(pair.sender, 0) == 0)
      #expect(try drain(pair.sender, until: 1).ids == [0])
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 1).ids == [1])
    }

    @Test("A send from memory that cannot be read takes no id", arguments: Loopback.available)
    func fault(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let page = Int(sysconf(Int32(_SC_PAGESIZE)))
      let mapped = mmap(nil, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      let memory = try #require(mapped == MAP_FAILED ? nil : mapped)
      defer { munmap(memory, page) }
      var buffer = czc_buffer(base: memory, length: page)
      #expect(czc_send(pair.sender, &buffer, 1, Int32(CZC_SEND_ZEROCOPY)) == Int64(-EFAULT))
      #expect(try drain(pair.sender).messages == 0)
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 1).ids == [0])
    }

    @Test("A send before the connection is made takes no id", arguments: Loopback.streams)
    func brokenPipe(kind: Loopback) throws {
      let sender = try kind.openSocket(zeroCopy: true)
      let baseline = czc_option_memory(sender.number)
      #expect(send(sender.number, 1) == Int64(-EPIPE))
      #expect(czc_option_memory(sender.number) == baseline)
      let listener = try kind.listener()
      var address = try localAddress(listener.number)
      try #require(czc_connect(sender.number, &address, tenSeconds) == 0)
      #expect(send(sender.number, 1) == 1)
      #expect(try drain(sender.number, until: 1).ids == [0])
    }

    @Test("A send after the half-close takes no id and leaves nothing behind", arguments: Loopback.streams)
    func afterHalfClose(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let baseline = czc_option_memory(pair.sender)
      #expect(send(pair.sender, 1) == 1)
      #expect(czc_shutdown(pair.sender, Int32(CZC_SHUT_WRITE)) == 0)
      #expect(send(pair.sender, 1) == Int64(-EPIPE))
      #expect(try drain(pair.sender, until: 1).ids == [0])
      #expect(czc_option_memory(pair.sender) == baseline)
    }

    @Test(
      "A full socket takes no id, and a partial send takes one", .enabled(if: lockedMemoryIsAmple),
      arguments: Loopback.streams)
    func fullSocket(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      // Small, so that the pages in flight stay below an ordinary limit of locked memory.
      try #require(czc_set_send_buffer(pair.sender, 1 << 16) == 0)
      var accepted: [Int64] = []
      var result = send(pair.sender, 100_000, flags: CZC_SEND_ZEROCOPY | CZC_SEND_DONTWAIT)
      while result > 0, accepted.count < 1_000 {
        accepted.append(result)
        result = send(pair.sender, 100_000, flags: CZC_SEND_ZEROCOPY | CZC_SEND_DONTWAIT)
      }
      #expect(result == Int64(-EAGAIN))
      #expect(accepted.contains { $0 < 100_000 }, "the last one is partial")
      discardInput(pair.receiver)
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      var reported = try drain(pair.sender).ids
      while reported.count < accepted.count, czc_waiter_wait(waiter.number, tenSeconds) > 0 {
        discardInput(pair.receiver)
        reported += try drain(pair.sender).ids
      }
      #expect(reported.sorted() == Array(0..<UInt32(accepted.count)))
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 1).ids == [UInt32(accepted.count)])
    }

    @Test("A datagram that fails once it is built takes an id all the same", arguments: Loopback.datagrams)
    func failedDatagram(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      // Segments need the checksum that this switches off, and the kernel finds out late.
      let noChecksum: (level: Int32, name: Int32) =
        kind == .udp4 ? (SOL_SOCKET, 11) : (17, 101)  // SO_NO_CHECK, UDP_NO_CHECK6_TX
      try setOption(pair.sender, level: noChecksum.level, name: noChecksum.name, 1)
      try setOption(pair.sender, level: 17, name: 103, 100)  // UDP_SEGMENT
      #expect(send(pair.sender, 1000) == Int64(-EINVAL))
      let failed = try drain(pair.sender)
      #expect(failed.ids == [0], "on the queue by the time the call returns")
      #expect(!failed.allCopied)
      try setOption(pair.sender, level: noChecksum.level, name: noChecksum.name, 0)
      #expect(send(pair.sender, 1000) == 1000)
      #expect(try drain(pair.sender, until: 1).ids == [1], "one id for all segments")
    }

    @Test("A datagram that is too large takes no id", arguments: Loopback.datagrams)
    func tooLarge(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(send(pair.sender, 70_000) == Int64(-EMSGSIZE))
      #expect(try drain(pair.sender).messages == 0)
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 1).ids == [0])
    }

    @Test("Several buffers of one call take one id", arguments: Loopback.available)
    func severalBuffers(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let buffers = (0..<10).map { czc_buffer(base: Payload.start + 100 * $0, length: 100) }
      #expect(czc_send(pair.sender, buffers, 10, Int32(CZC_SEND_ZEROCOPY)) == 1000)
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 2).ids == [0, 1])
    }

    @Test("A duplicate of the descriptor shares the ids", arguments: Loopback.available)
    func duplicates(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let duplicate = try Descriptor(czc_duplicate(pair.sender))
      #expect(send(pair.sender, 1) == 1)
      #expect(send(duplicate.number, 1) == 1)
      #expect(try drain(duplicate.number, until: 2).ids == [0, 1])
    }

    @Test("What is sent without the flag takes no id", arguments: Loopback.available)
    func withoutFlag(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(send(pair.sender, 1, flags: 0) == 1)
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 1).ids == [0])
    }
  }
#endif
