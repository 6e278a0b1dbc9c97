#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Addresses are made from names and told as text")
  struct AddressTests {
    private func resolve(_ host: String?, port: UInt16 = 80, passive: Bool = false, capacity: Int = 8)
      -> (result: Int32, code: Int32, addresses: [czc_address])
    {
      var addresses = [czc_address](repeating: czc_address(), count: capacity)
      var code: Int32 = 0
      let result = czc_resolve(
        host, port, Int32(CZC_STREAM), passive, &addresses, Int32(capacity), &code)
      return (result, code, Array(addresses.prefix(max(0, Int(result)))))
    }

    private func text(_ read: (UnsafeMutablePointer<CChar>) -> Int32) throws -> String {
      var text = [CChar](repeating: 0x7F, count: Int(CZC_ADDRESS_TEXT))
      let length = Int(try checked(read(&text)))
      #expect(text[length] == 0, "ends with a zero")
      return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func localText(_ socket: Int32) throws -> String {
      try text { czc_local_address_text(socket, $0, Int(CZC_ADDRESS_TEXT)) }
    }

    private func peerText(_ socket: Int32) throws -> String {
      try text { czc_peer_address_text(socket, $0, Int(CZC_ADDRESS_TEXT)) }
    }

    @Test("Numeric hosts resolve to their own family")
    func numericHosts() throws {
      let four = resolve("127.0.0.1", port: 8080)
      #expect(four.result == 1)
      #expect(four.addresses[0].family == CZC_FAMILY_IPV4)
      #expect(four.addresses[0].type == CZC_STREAM)
      #expect(four.addresses[0].length == MemoryLayout<sockaddr_in>.size)
      let six = resolve("::1", port: 8080)
      #expect(six.result == 1)
      #expect(six.addresses[0].family == CZC_FAMILY_IPV6)
      #expect(six.addresses[0].length == MemoryLayout<sockaddr_in6>.size)
      // The port in network order, where both families have it.
      #expect(four.addresses[0].bytes.2 == 0x1F && four.addresses[0].bytes.3 == 0x90)
      #expect(six.addresses[0].bytes.2 == 0x1F && six.addresses[0].bytes.3 == 0x90)
    }

    @Test("A passive address without a host is that of every interface")
    func passive() {
      let any = resolve(nil, passive: true)
      #expect(any.result >= 1)
      let four = any.addresses.first { $0.family == CZC_FAMILY_IPV4 }
      #expect(
        four.map { [$0.bytes.4, $0.bytes.5, $0.bytes.6, $0.bytes.7] } ?? [0, 0, 0, 0] == [0, 0, 0, 0])
    }

    @Test("No more addresses are written than there is room for")
    func capacity() {
      #expect(resolve(nil, passive: true, capacity: 1).result == 1)
      #expect(resolve("127.0.0.1", capacity: 0).result == 0)
    }

    @Test("What is no name fails with the resolver's own words")
    func resolverFailure() {
      let failure = resolve("not a host name")
      #expect(failure.result < 0)
      #expect(failure.code != 0)
      #expect(!String(cString: czc_resolver_message(failure.code)).isEmpty)
    }

    @Test("Both ends of a connection name each other", arguments: Loopback.available)
    func texts(kind: Loopback) throws {
      let pair = try kind.connectedPair()
      let address = try localAddress(pair.receiver)
      let port = UInt16(address.bytes.2) << 8 | UInt16(address.bytes.3)
      let host = kind == .tcp4 || kind == .udp4 ? "127.0.0.1" : "[::1]"
      #expect(try peerText(pair.sender) == "\(host):\(port)")
      #expect(try localText(pair.receiver) == "\(host):\(port)")
      if kind.isStream { #expect(try peerText(pair.receiver) == localText(pair.sender)) }
    }

    @Test("A socket without a peer has no peer's address")
    func noPeer() throws {
      let socket = try Loopback.tcp4.boundSocket()
      var text = [CChar](repeating: 0, count: 32)
      #expect(czc_peer_address_text(socket.number, &text, 32) == -ENOTCONN)
      #expect(czc_local_address_text(-1, &text, 32) == -EBADF)
    }

    @Test("Text that does not fit is cut and still ends")
    func cutText() throws {
      let socket = try Loopback.tcp4.boundSocket()
      var text = [CChar](repeating: 0x7F, count: 8)
      #expect(czc_local_address_text(socket.number, &text, 8) == 7)
      #expect(String(decoding: text.prefix(7).map { UInt8($0) }, as: UTF8.self) == "127.0.0")
      #expect(text[7] == 0)
    }

    @Test("An abstract UNIX name is as long as it says, and told with its @")
    func abstractUnix() throws {
      var address = czc_address()
      let name = "@zerocopy-tests-\(getpid())-\(czc_now())"
      #expect(czc_unix_address(name, &address) == 0)
      #expect(address.family == CZC_FAMILY_UNIX)
      #expect(address.length == 2 + name.utf8.count)
      #expect(address.bytes.2 == 0)
      let socket = try Descriptor(czc_open(&address))
      #expect(bindSocket(socket.number, &address) == 0)
      #expect(try localText(socket.number) == "unix:" + name)
    }

    @Test("A UNIX path is told as it is")
    func unixPath() throws {
      var template = Array("/tmp/zerocopy-XXXXXX".utf8CString)
      try #require(mkdtemp(&template) != nil)
      let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let path = folder + "/socket"
      defer {
        unlink(path)
        rmdir(folder)
      }
      var address = czc_address()
      #expect(czc_unix_address(path, &address) == 0)
      let socket = try Descriptor(czc_open(&address))
      #expect(czc_listen(socket.number, &address, 1) == 0)
      #expect(try localText(socket.number) == "unix:" + path)
      let client = try Descriptor(czc_open(&address))
      #expect(czc_connect(client.number, &address, tenSeconds) == 0)
      #expect(try peerText(client.number) == "unix:" + path)
      #expect(try localText(client.number) == "unix:", "a client has no name")
    }

    @Test("A UNIX path has to fit, and to be there")
    func unixLengths() {
      var address = czc_address()
      #expect(czc_unix_address("", &address) == -EINVAL)
      #expect(czc_unix_address(String(repeating: "a", count: 107), &address) == 0)
      #expect(czc_unix_address(String(repeating: "a", count: 108), &address) == -ENAMETOOLONG)
      #expect(czc_unix_address(String(repeating: "a", count: 5000), &address) == -ENAMETOOLONG)
    }

    @Test("A vsock address holds its context and port")
    func vsockAddress() {
      var address = czc_address()
      #expect(czc_vsock_address(1, 0x0102_0304, &address) == 0)
      #expect(address.family == CZC_FAMILY_VSOCK)
      #expect(address.type == CZC_STREAM)
      #expect(address.length == 16)
      let words = withUnsafeBytes(of: address.bytes) { bytes in
        (
          bytes.load(as: UInt16.self), bytes.load(fromByteOffset: 4, as: UInt32.self),
          bytes.load(fromByteOffset: 8, as: UInt32.self)
        )
      }
      #expect(words == (40, 0x0102_0304, 1))
    }

    @Test("A vsock socket is told by context and port", .enabled(if: vsockIsAvailable))
    func vsockText() throws {
      var address = czc_address()
      // Any context, any port.
      try #require(czc_vsock_address(UInt32.max, UInt32.max, &address) == 0)
      let socket = try Descriptor(czc_open(&address))
      try #require(bindSocket(socket.number, &address) == 0)
      let text = try localText(socket.number)
      #expect(text.hasPrefix("vsock:"))
      #expect(text.split(separator: ":").count == 3)
      var facts = czc_socket_facts()
      #expect(czc_inspect(socket.number, &facts) == 0)
      #expect(facts.family == CZC_FAMILY_VSOCK)
    }

    private static var vsockIsAvailable: Bool {
      var address = czc_address()
      guard czc_vsock_address(UInt32.max, UInt32.max, &address) == 0 else { return false }
      guard let socket = try? Descriptor(czc_open(&address)) else { return false }
      return bindSocket(socket.number, &address) == 0
    }

    @Test("A link-local address is told with its interface", .enabled(if: Loopback.available.contains(.tcp6)))
    func linkLocal() throws {
      var link = resolve("fe80::1%1", port: 0)
      try #require(link.result == 1)
      let socket = try Descriptor(czc_open(&link.addresses[0]))
      // IPV6_FREEBIND: the machine need not have the address.
      try setOption(socket.number, level: Int32(IPPROTO_IPV6), name: 78, 1)
      try #require(bindSocket(socket.number, &link.addresses[0]) == 0)
      #expect(try localText(socket.number).hasPrefix("[fe80::1%1]:"))
    }

    @Test("What is no address of a peer has no text")
    func netlink() throws {
      let netlink = try Descriptor(socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), 0))
      var text = [CChar](repeating: 0, count: Int(CZC_ADDRESS_TEXT))
      #expect(czc_local_address_text(netlink.number, &text, text.count) == -EAFNOSUPPORT)
    }

    @Test("An address of no known family opens no socket")
    func unknownFamily() {
      var address = czc_address()
      #expect(czc_open(&address) == -EAFNOSUPPORT)
    }
  }
#endif
