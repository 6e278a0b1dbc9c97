#if os(Linux)
  import CZeroCopy
  import Testing

  @Suite("A control buffer yields its notification and nothing that is not there")
  struct ControlBufferTests {
    private let expected = FoundNotification(first: 7, last: 9, copied: false)

    @Test("Each family's notification is found", arguments: ErrorChannel.allCases)
    func families(channel: ErrorChannel) throws {
      var buffer = ControlBuffer()
      buffer.append(ExtendedError(), as: channel)
      #expect(try GuardedMemory().parse(buffer.bytes) == expected)
    }

    @Test("The copied flag is told, and other bits of the code are not mistaken for it")
    func copied() throws {
      let memory = try GuardedMemory()
      for (code, copied) in [(0, false), (1, true), (2, false), (3, true), (0xFE, false)] as [(UInt8, Bool)] {
        var buffer = ControlBuffer()
        buffer.append(ExtendedError(code: code), as: .ipv4)
        let found = memory.parse(buffer.bytes)
        #expect(found == FoundNotification(first: 7, last: 9, copied: copied))
      }
    }

    @Test("A range that crosses the 32-bit wrap is handed on as it is")
    func wrap() throws {
      var buffer = ControlBuffer()
      buffer.append(ExtendedError(first: UInt32.max, last: 0), as: .ipv6)
      let found = try GuardedMemory().parse(buffer.bytes)
      #expect(found == FoundNotification(first: UInt32.max, last: 0, copied: false))
    }

    @Test("Time stamps before or after a notification do not hide it", arguments: ErrorChannel.allCases)
    func timestamps(channel: ErrorChannel) throws {
      let memory = try GuardedMemory()
      for (before, after) in [(1, 0), (0, 1), (2, 2)] {
        var buffer = ControlBuffer()
        for _ in 0..<before { buffer.appendTimestamps() }
        buffer.append(ExtendedError(), as: channel)
        for _ in 0..<after { buffer.appendTimestamps() }
        let found = memory.parse(buffer.bytes)
        #expect(found == expected)
      }
    }

    @Test(
      "Errors of the host, of ICMP and of time stamping are no notifications",
      arguments: 0...255 as ClosedRange<UInt8>)
    func foreignOrigins(origin: UInt8) throws {
      var buffer = ControlBuffer()
      buffer.append(ExtendedError(origin: origin), as: .ipv4)
      let found = try GuardedMemory().parse(buffer.bytes)
      #expect((found != nil) == (origin == ExtendedError.zeroCopyOrigin))
    }

    @Test("A notification that carries an errno is not trusted", arguments: ErrorChannel.allCases)
    func withErrno(channel: ErrorChannel) throws {
      var buffer = ControlBuffer()
      buffer.append(ExtendedError(errno: 42), as: channel)
      #expect(try GuardedMemory().parse(buffer.bytes) == nil)
    }

    @Test("A foreign error before a notification does not hide it")
    func foreignBefore() throws {
      var buffer = ControlBuffer()
      buffer.append(ExtendedError(origin: 2, first: 1, last: 2), as: .ipv4)
      buffer.append(ExtendedError(), as: .ipv4)
      #expect(try GuardedMemory().parse(buffer.bytes) == expected)
    }

    @Test("The same payload at another level or type is something else")
    func nearMisses() throws {
      let memory = try GuardedMemory()
      for (level, type) in [(1, 11), (0, 25), (41, 11), (287, 11), (0, 1), (6, 11)] as [(Int32, Int32)] {
        var buffer = ControlBuffer()
        buffer.append(level: level, type: type, payload: ExtendedError().payload)
        let found = memory.parse(buffer.bytes)
        #expect(found == nil)
      }
    }

    @Test("A notification without an offender's address is whole")
    func shortest() throws {
      var buffer = ControlBuffer()
      buffer.append(ExtendedError(addressBytes: 0), as: .ipv4)
      #expect(try GuardedMemory().parse(buffer.bytes) == expected)
    }

    @Test("An empty buffer holds nothing")
    func empty() {
      var notification = czc_notification()
      #expect(czc_parse_control(nil, 0, &notification) == 0)
    }

    @Test("A buffer cut at any byte holds the whole notification or none", arguments: ErrorChannel.allCases)
    func cutAnywhere(channel: ErrorChannel) throws {
      let memory = try GuardedMemory()
      var buffer = ControlBuffer()
      buffer.appendTimestamps()
      buffer.append(ExtendedError(), as: channel)
      let end = buffer.bytes.count
      buffer.appendTimestamps()
      for length in 0...buffer.bytes.count {
        let found = memory.parse(Array(buffer.bytes[..<length]))
        #expect(found == (length >= end ? expected : nil), "cut at \(length)")
      }
    }

    @Test("A message that the kernel cut short is not completed by what lies behind it")
    func shortPayload() throws {
      // MSG_CTRUNC: cmsg_len says what was written, and the memory behind it is of an earlier call.
      let memory = try GuardedMemory()
      let header = UInt(ControlBuffer.headerSize)
      for missing in 1...16 as ClosedRange<UInt> {
        var buffer = ControlBuffer()
        buffer.append(ExtendedError(), as: .ipv4, length: header + 16 - missing)
        let found = memory.parse(buffer.bytes)
        #expect(found == nil, "\(missing) bytes are missing")
      }
    }

    @Test("A length that cannot be ends the search", arguments: ErrorChannel.allCases)
    func impossibleLengths(channel: ErrorChannel) throws {
      let memory = try GuardedMemory()
      let header = UInt(ControlBuffer.headerSize)
      let lengths: [UInt] = [0, 1, header - 1, 4096, UInt(Int.max), UInt.max - 7, UInt.max - 6, UInt.max]
      for length in lengths {
        var buffer = ControlBuffer()
        buffer.append(ExtendedError(), as: channel, length: length)
        buffer.append(ExtendedError(), as: channel)
        let found = memory.parse(buffer.bytes)
        #expect(found == nil, "cmsg_len \(length)")
      }
    }

    @Test("A length one byte above what there is is not believed")
    func oversizedByOne() throws {
      var buffer = ControlBuffer()
      let payload = ExtendedError().payload
      buffer.append(ExtendedError(), as: .ipv4, length: UInt(ControlBuffer.headerSize + payload.count + 1))
      #expect(try GuardedMemory().parse(buffer.bytes) == nil)
    }

    @Test("A buffer at any alignment is read alike", arguments: 0...15)
    func misaligned(gap: Int) throws {
      let memory = try GuardedMemory()
      var buffer = ControlBuffer()
      buffer.appendTimestamps()
      buffer.append(ExtendedError(), as: .vsock)
      let found = memory.parse(buffer.bytes, gap: gap)
      #expect(found == expected)
    }
  }
#endif
