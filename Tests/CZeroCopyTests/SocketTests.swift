#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Sockets are opened, configured and described as asked")
  struct SocketTests {
    @Test("Every descriptor that is opened is close-on-exec", arguments: Loopback.streams)
    func closeOnExec(kind: Loopback) throws {
      let pair = try kind.connectedPair()  // by connect and by accept
      let listener = try kind.listener()
      let duplicate = try Descriptor(czc_duplicate(pair.sender))
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      for number in [pair.sender, pair.receiver, listener.number, duplicate.number, waiter.number] {
        #expect(fcntl(number, F_GETFD) & FD_CLOEXEC == FD_CLOEXEC)
      }
    }

    @Test("A descriptor from elsewhere can be made close-on-exec")
    func setCloseOnExec() throws {
      let plain = try Descriptor(dup(STDERR_FILENO))
      try #require(fcntl(plain.number, F_GETFD) & FD_CLOEXEC == 0)
      #expect(czc_prepare(plain.number) == 0)
      #expect(fcntl(plain.number, F_GETFD) & FD_CLOEXEC == FD_CLOEXEC)
      #expect(czc_prepare(-1) == -EBADF)
    }

    @Test(
      "Accepted sockets inherit zero copy from before the listen", arguments: Loopback.streams, [true, false])
    func inheritance(kind: Loopback, zeroCopy: Bool) throws {
      let listener = try kind.listener(zeroCopy: zeroCopy)
      let client = try kind.openSocket()
      var address = try localAddress(listener.number)
      try #require(czc_connect(client.number, &address, tenSeconds) == 0)
      let accepted = try Descriptor(czc_accept(listener.number, tenSeconds))
      #expect(czc_zerocopy_enabled(accepted.number) == (zeroCopy ? 1 : 0))
      #expect(czc_zerocopy_enabled(client.number) == 0)
    }

    @Test("A connected socket takes the option late", arguments: Loopback.available)
    func lateOption(kind: Loopback) throws {
      let pair = try kind.connectedPair(zeroCopy: false)
      #expect(czc_zerocopy_enabled(pair.sender) == 0)
      #expect(czc_enable_zerocopy(pair.sender) == 0)
      #expect(czc_zerocopy_enabled(pair.sender) == 1)
    }

    @Test("UNIX sockets refuse zero copy")
    func unixRefuses() throws {
      var address = czc_address()
      try #require(czc_unix_address("@unused", &address) == 0)
      let socket = try Descriptor(czc_open(&address))
      #expect(czc_enable_zerocopy(socket.number) == -EOPNOTSUPP)
      #expect(czc_zerocopy_enabled(socket.number) <= 0)
    }

    @Test("TCP, UDP and UNIX sockets are told apart", arguments: Loopback.available)
    func inspect(kind: Loopback) throws {
      let family = Int32(kind == .tcp4 || kind == .udp4 ? CZC_FAMILY_IPV4 : CZC_FAMILY_IPV6)
      var facts = czc_socket_facts()
      let pair = try kind.connectedPair()
      #expect(czc_inspect(pair.sender, &facts) == 0)
      #expect(facts.family == family)
      #expect(facts.type == Int32(kind.isStream ? CZC_STREAM : CZC_DATAGRAM))
      #expect(facts.is_tcp == kind.isStream)
      #expect(facts.connected)
      #expect(!facts.listening)
      #expect(!facts.upper_layer)

      let unconnected = try kind.boundSocket()
      #expect(czc_inspect(unconnected.number, &facts) == 0)
      #expect(!facts.connected)
    }

    @Test("A listener is told from a connection", arguments: Loopback.streams)
    func inspectListener(kind: Loopback) throws {
      var facts = czc_socket_facts()
      let listener = try kind.listener()
      #expect(czc_inspect(listener.number, &facts) == 0)
      #expect(facts.listening)
      #expect(!facts.connected)
      #expect(facts.is_tcp)
    }

    @Test("UNIX streams are neither TCP nor mistaken for another family")
    func inspectUnix() throws {
      var numbers: [Int32] = [-1, -1]
      try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &numbers) == 0)
      let one = try Descriptor(numbers[0])
      let other = try Descriptor(numbers[1])
      var facts = czc_socket_facts()
      #expect(czc_inspect(one.number, &facts) == 0)
      #expect(facts.family == CZC_FAMILY_UNIX)
      #expect(facts.type == CZC_STREAM)
      #expect(facts.connected)
      #expect(!facts.is_tcp)
      #expect(czc_inspect(other.number, &facts) == 0)
    }

    @Test("What is no socket is refused")
    func inspectOthers() throws {
      var facts = czc_socket_facts()
      #expect(czc_inspect(-1, &facts) == -EBADF)
      let file = try Descriptor(open("/proc/self/exe", O_RDONLY | O_CLOEXEC))
      #expect(czc_inspect(file.number, &facts) == -ENOTSOCK)
    }

    @Test("Non-blocking is asked of the descriptor, whoever set it")
    func nonblocking() throws {
      let pair = try Loopback.tcp4.connectedPair()
      #expect(czc_is_nonblocking(pair.sender) == 0)
      #expect(czc_set_nonblocking(pair.sender, true) == 0)
      #expect(czc_is_nonblocking(pair.sender) == 1)
      #expect(fcntl(pair.sender, F_SETFL, fcntl(pair.sender, F_GETFL) & ~Int32(O_NONBLOCK)) == 0)
      #expect(czc_is_nonblocking(pair.sender) == 0)
      #expect(czc_is_nonblocking(-1) == -EBADF)
    }

    @Test("A receive time-out ends a read of a silent stream")
    func receiveTimeout() throws {
      let pair = try Loopback.tcp4.connectedPair()
      var byte: UInt8 = 0
      // Rounded up: a nanosecond is not "without end".
      #expect(czc_set_receive_timeout(pair.receiver, 1) == 0)
      #expect(czc_receive(pair.receiver, &byte, 1, false) == Int64(-EAGAIN))
      #expect(czc_set_receive_timeout(pair.receiver, UInt64.max) == 0)
      #expect(send(pair.sender, 1, flags: 0) == 1)
      #expect(czc_receive(pair.receiver, &byte, 1, false) == 1)
      #expect(byte == 0x5A)
      #expect(czc_shutdown(pair.sender, Int32(CZC_SHUT_WRITE)) == 0)
      #expect(czc_receive(pair.receiver, &byte, 1, false) == 0, "the end of the stream")
    }

    @Test("A send time-out ends a write to a peer that does not read")
    func sendTimeout() throws {
      let pair = try Loopback.tcp4.connectedPair()
      #expect(czc_set_send_timeout(pair.sender, 1_000_000) == 0)
      var result: Int64 = 0
      for _ in 0..<1_000 where result >= 0 { result = send(pair.sender, Payload.size, flags: 0) }
      #expect(result == Int64(-EAGAIN))
    }

    @Test("Options are set where they exist, and refused where not")
    func options() throws {
      let pair = try Loopback.tcp4.connectedPair()
      #expect(czc_set_no_delay(pair.sender, true) == 0)
      #expect(czc_set_keep_alive(pair.sender, true) == 0)
      #expect(czc_set_send_buffer(pair.sender, 1 << 15) == 0)
      #expect(try option(pair.sender, level: Int32(IPPROTO_TCP), name: TCP_NODELAY) == 1)
      #expect(try option(pair.sender, level: SOL_SOCKET, name: SO_KEEPALIVE) == 1)
      #expect(try option(pair.sender, level: SOL_SOCKET, name: SO_SNDBUF) == 1 << 16, "the kernel doubles it")
      let datagrams = try Loopback.udp4.connectedPair()
      #expect(czc_set_no_delay(datagrams.sender, true) < 0)
    }

    private func option(_ socket: Int32, level: Int32, name: Int32) throws -> Int32 {
      var value: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      _ = try checked(getsockopt(socket, level, name, &value, &size) < 0 ? -errno : 0)
      return value
    }
  }
#endif
