#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Connecting, accepting and ending answer what happened, in bounded time")
  struct ConnectionTests {
    private let moment: UInt64 = 20_000_000

    @Test("An accept that nobody answers times out", arguments: Loopback.streams)
    func acceptTimesOut(kind: Loopback) throws {
      let listener = try kind.listener()
      #expect(czc_accept(listener.number, 0) == -ETIMEDOUT)
      #expect(czc_accept(listener.number, moment) == -ETIMEDOUT)
      #expect(czc_is_nonblocking(listener.number) == 1)
    }

    @Test("Accepted sockets block, though the listener does not", arguments: Loopback.streams)
    func acceptedBlocks(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      #expect(czc_is_nonblocking(pair.receiver) == 0)
    }

    @Test("A connection to a port where nobody listens is refused", arguments: Loopback.streams)
    func refused(kind: Loopback) throws {
      let bound = try kind.boundSocket()
      var address = try localAddress(bound.number)
      let client = try kind.openSocket()
      #expect(czc_connect(client.number, &address, tenSeconds) == -ECONNREFUSED)
      #expect(czc_is_nonblocking(client.number) == 0, "as before")
    }

    @Test("A connection that is not answered times out", arguments: [true, false])
    func connectTimesOut(nonblocking: Bool) throws {
      // Once its backlog is full a listener answers nobody.
      let listener = try Loopback.tcp4.listener(backlog: 0)
      var address = try localAddress(listener.number)
      var clients: [Int32] = []
      defer { for client in clients { czc_close(client) } }
      var result: Int32 = 0
      while result == 0, clients.count < 16 {
        clients.append(try checked(czc_open(&address)))
        try #require(czc_set_nonblocking(clients.last!, nonblocking) == 0)
        result = czc_connect(clients.last!, &address, 200_000_000)
      }
      #expect(result == -ETIMEDOUT)
      #expect(czc_is_nonblocking(clients.last!) == (nonblocking ? 1 : 0), "as before")
    }

    @Test("A UNIX listener whose backlog is full times out too")
    func unixConnectTimesOut() throws {
      var address = try abstractAddress()
      let listener = try Descriptor(czc_open(&address))
      try #require(czc_listen(listener.number, &address, 0) == 0)
      var clients: [Int32] = []
      defer { for client in clients { czc_close(client) } }
      var result: Int32 = 0
      while result == 0, clients.count < 16 {
        clients.append(try checked(czc_open(&address)))
        result = czc_connect(clients.last!, &address, moment)
      }
      #expect(result == -ETIMEDOUT)
    }

    @Test("Two listeners cannot have one address", arguments: Loopback.streams)
    func addressInUse(kind: Loopback) throws {
      let listener = try kind.listener()
      var address = try localAddress(listener.number)
      let second = try kind.openSocket()
      #expect(czc_listen(second.number, &address, 1) == -EADDRINUSE)
    }

    @Test("A send to a peer that has gone fails and raises no signal", arguments: [0, CZC_SEND_ZEROCOPY])
    func noSignal(flags: Int) throws {
      // A blocked signal stays pending even where it is ignored, so that it cannot go unseen.
      var pipe = sigset_t()
      var before = sigset_t()
      sigemptyset(&pipe)
      sigaddset(&pipe, SIGPIPE)
      try #require(pthread_sigmask(SIG_BLOCK, &pipe, &before) == 0)
      defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

      let pair = try Loopback.tcp4.connectedPair()
      #expect(czc_abort(pair.receiver) == 0)
      let waiter = try Descriptor(czc_waiter_open(pair.sender))
      try #require(czc_waiter_wait(waiter.number, tenSeconds) > 0)
      #expect(send(pair.sender, 1, flags: flags) == Int64(-ECONNRESET))
      #expect(send(pair.sender, 1, flags: flags) == Int64(-EPIPE))
      #expect(send(pair.sender, 1, flags: flags) == Int64(-EPIPE))

      // Taken off, so that a failure is told by the test and not by the death of the process.
      var atOnce = timespec()
      #expect(sigtimedwait(&pipe, nil, &atOnce) == -1, "a signal was raised")
    }

    @Test("An abort resets the peer, and the ids of what was queued still come")
    func abort() throws {
      let pair = try Loopback.tcp4.connectedPair()
      #expect(send(pair.sender, 1000) == 1000)
      #expect(czc_abort(pair.sender) == 0)
      #expect(try drain(pair.sender, until: 1).ids == [0])
      let waiter = try Descriptor(czc_waiter_open(pair.receiver))
      #expect(czc_waiter_wait(waiter.number, tenSeconds) > 0)
      #expect(czc_take_error(pair.receiver) == ECONNRESET)
    }

    @Test("A shutdown says which way")
    func shutdown() throws {
      let pair = try Loopback.tcp4.connectedPair()
      var byte: UInt8 = 0
      #expect(czc_shutdown(pair.sender, Int32(CZC_SHUT_READ)) == 0)
      #expect(czc_receive(pair.sender, &byte, 1, false) == 0)
      #expect(send(pair.sender, 1, flags: 0) == 1)
      #expect(czc_shutdown(pair.sender, Int32(CZC_SHUT_BOTH)) == 0)
      #expect(send(pair.sender, 1, flags: 0) == Int64(-EPIPE))
      #expect(czc_shutdown(pair.sender, 3) == -EINVAL)
      #expect(czc_shutdown(pair.sender, -1) == -EINVAL)
    }

    @Test("A descriptor is closed once")
    func closeOnce() throws {
      let number = try checked(czc_duplicate(STDERR_FILENO))
      #expect(czc_close(number) == 0)
      #expect(czc_close(-1) == -EBADF)
      #expect(czc_duplicate(-1) == -EBADF)
    }

    /// A name that no other process has.
    private func abstractAddress() throws -> czc_address {
      var address = czc_address()
      let name = "@zerocopy-tests-\(getpid())-\(czc_now())"
      _ = try checked(czc_unix_address(name, &address))
      return address
    }
  }
#endif
