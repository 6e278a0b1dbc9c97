#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  /// A descriptor that is closed when its scope ends, whatever the test came to.
  struct Descriptor: ~Copyable {
    let number: Int32

    /// - Parameter result: What the call that opens it answered.
    init(_ result: Int32) throws { number = try checked(result) }

    deinit { czc_close(number) }
  }

  /// The kinds of connection that every machine has with itself.
  enum Loopback: String, CaseIterable {
    case tcp4, tcp6, udp4, udp6

    /// Without the IPv6 ones where the machine has no IPv6.
    static let available = allCases.filter { (try? $0.boundSocket()) != nil }
    static let streams = available.filter { $0.isStream }
    static let datagrams = available.filter { !$0.isStream }

    var isStream: Bool { self == .tcp4 || self == .tcp6 }

    /// The loopback address; with port 0 the kernel picks one that is free.
    func address(port: UInt16 = 0) throws -> czc_address {
      var address = czc_address()
      var resolverCode: Int32 = 0
      let host = self == .tcp4 || self == .udp4 ? "127.0.0.1" : "::1"
      let type = Int32(isStream ? CZC_STREAM : CZC_DATAGRAM)
      let count = czc_resolve(host, port, type, false, &address, 1, &resolverCode)
      try #require(count == 1)
      return address
    }

    func openSocket(zeroCopy: Bool = false) throws -> Descriptor {
      var address = try address()
      let socket = try Descriptor(czc_open(&address))
      if zeroCopy { _ = try checked(czc_enable_zerocopy(socket.number)) }
      return socket
    }

    /// A socket that has a port of its own and does not listen.
    func boundSocket() throws -> Descriptor {
      let socket = try openSocket()
      var address = try address()
      _ = try checked(bindSocket(socket.number, &address))
      return socket
    }

    func listener(zeroCopy: Bool = false, backlog: Int32 = 16) throws -> Descriptor {
      let socket = try openSocket(zeroCopy: zeroCopy)
      var address = try address()
      _ = try checked(czc_listen(socket.number, &address, backlog))
      return socket
    }

    func connectedPair(zeroCopy: Bool = true) throws -> Pair {
      try Pair(self, zeroCopy: zeroCopy)
    }
  }

  /// A connection with itself: what `sender` sends, `receiver` gets.
  struct Pair: ~Copyable {
    private let sending: Descriptor
    private let receiving: Descriptor

    var sender: Int32 { sending.number }
    var receiver: Int32 { receiving.number }

    fileprivate init(_ kind: Loopback, zeroCopy: Bool) throws {
      let socket = try kind.openSocket(zeroCopy: zeroCopy)
      let target = kind.isStream ? try kind.listener() : try kind.boundSocket()
      var address = try localAddress(target.number)
      _ = try checked(czc_connect(socket.number, &address, tenSeconds))
      let peer = kind.isStream ? try Descriptor(czc_accept(target.number, tenSeconds)) : target
      sending = socket
      receiving = peer
    }
  }

  /// A bound for waits that end at once unless something is broken.
  let tenSeconds: UInt64 = 10_000_000_000

  func bindSocket(_ socket: Int32, _ address: inout czc_address) -> Int32 {
    withSocketAddress(&address) { bind(socket, $0, $1) < 0 ? -errno : 0 }
  }

  /// Where a socket is bound.
  func localAddress(_ socket: Int32) throws -> czc_address {
    var facts = czc_socket_facts()
    _ = try checked(czc_inspect(socket, &facts))
    var address = czc_address()
    address.family = facts.family
    address.type = facts.type
    var length = socklen_t(128)
    _ = try checked(
      withSocketAddress(&address) { pointer, _ in getsockname(socket, pointer, &length) < 0 ? -errno : 0 })
    address.length = length
    return address
  }

  private func withSocketAddress(
    _ address: inout czc_address, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    let length = address.length
    return withUnsafeMutableBytes(of: &address.bytes) {
      body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
    }
  }

  func setOption(_ socket: Int32, level: Int32, name: Int32, _ value: Int32) throws {
    var value = value
    let size = socklen_t(MemoryLayout<Int32>.size)
    _ = try checked(setsockopt(socket, level, name, &value, size) < 0 ? -errno : 0)
  }
#endif
