#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Segments, and several datagrams in one call")
  struct SegmentsTests {
    private func receive(_ number: Int32) -> Int64 {
      _ = czc_set_receive_timeout(number, tenSeconds)
      var memory = [UInt8](repeating: 0, count: 1 << 16)
      return czc_receive(number, &memory, memory.count, true)
    }

    @Test("A send is cut, its last segment is shorter, and it takes one id", arguments: Loopback.datagrams)
    func cut(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let buffers = [
        czc_buffer(base: Payload.start, length: 1000), czc_buffer(base: Payload.start, length: 1500),
      ]
      #expect(czc_send_segments(pair.sender, buffers, 2, Int32(CZC_SEND_ZEROCOPY), 1200) == 2500)
      #expect([1200, 1200, 100].allSatisfy { receive(pair.receiver) == $0 })
      #expect(send(pair.sender, 1) == 1)
      #expect(try drain(pair.sender, until: 2).ids == [0, 1])
    }

    @Test("The size of a socket is set and told, and holds for its sends", arguments: Loopback.datagrams)
    func ofSocket(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(czc_segment_size(pair.sender) == 0)
      #expect(czc_set_segment_size(pair.sender, 65_535) == 0)
      #expect(czc_set_segment_size(pair.sender, 65_536) == -EINVAL)
      #expect(czc_set_segment_size(pair.sender, -1) == -EINVAL)
      #expect(czc_segment_size(pair.sender) == 65_535)
      #expect(czc_set_segment_size(pair.sender, 300) == 0)
      #expect(send(pair.sender, 500, flags: 0) == 500)
      #expect([300, 200].allSatisfy { receive(pair.receiver) == $0 })
    }

    @Test("A stream has none", arguments: Loopback.streams)
    func streams(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(czc_segment_size(pair.sender) < 0)
      #expect(czc_set_segment_size(pair.sender, 100) < 0)
    }

    @Test(
      "Several datagrams of one call take an id each, up to the first that fails",
      arguments: Loopback.datagrams)
    func several(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let sizes = [10, 0, 30, 70_000, 50]
      let datagrams = sizes.map { czc_buffer(base: Payload.start, length: $0) }
      let flags = Int32(CZC_SEND_ZEROCOPY)
      #expect(czc_send_datagrams(pair.sender, datagrams, 5, flags, 0) == 3)
      #expect([10, 0, 30].allSatisfy { receive(pair.receiver) == $0 })
      #expect(czc_send_datagrams(pair.sender, [datagrams[3]], 1, flags, 0) == -EMSGSIZE)
      #expect(czc_send_datagrams(pair.sender, [datagrams[4]], 1, flags, 20) == 1)
      #expect([20, 20, 10].allSatisfy { receive(pair.receiver) == $0 })
      #expect(try drain(pair.sender, until: 4).ids == [0, 1, 2, 3])
    }

    @Test("Of more datagrams than a call takes the first go")
    func many() throws {
      let pair = try Loopback.udp4.connectedPair()
      let datagrams = Array(repeating: czc_buffer(base: Payload.start, length: 1), count: 300)
      #expect(czc_send_datagrams(pair.sender, datagrams, 300, 0, 0) == CZC_MAX_DATAGRAMS)
    }

    @Test("As many segments as the kernel makes are accepted, and one more is not")
    func most() throws {
      let pair = try Loopback.udp4.connectedPair()
      let most = Int(czc_most_segments())
      #expect((63...2000).contains(most))
      var buffer = czc_buffer(base: Payload.start, length: most * 32)
      #expect(czc_send_segments(pair.sender, &buffer, 1, 0, 32) == Int64(most * 32))
      buffer.length += 32
      #expect(czc_send_segments(pair.sender, &buffer, 1, 0, 32) == Int64(-EINVAL))
    }

    @Test("Whether checksums are sent", arguments: Loopback.datagrams)
    func checksums(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let family = Int32(kind == .udp4 ? CZC_FAMILY_IPV4 : CZC_FAMILY_IPV6)
      #expect(czc_sends_checksums(pair.sender, family) == 1)
      let off: (level: Int32, name: Int32) = kind == .udp4 ? (SOL_SOCKET, 11) : (17, 101)
      try setOption(pair.sender, level: off.level, name: off.name, 1)
      #expect(czc_sends_checksums(pair.sender, family) == 0)
    }
  }
#endif
