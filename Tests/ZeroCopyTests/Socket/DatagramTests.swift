import CTestSupport
import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// Two UDP sockets connected to each other.
struct Datagrams: ~Copyable {
  var client: ZeroCopySocket
  var server: ZeroCopySocket

  /// - Parameter passesForVsock: Whether the client takes its socket for a vsock stream whose sends take several ids.
  init(_ host: String, client: Configuration = Configuration(), passesForVsock: Bool = false) throws {
    // A port that is free is one that the kernel has just given out.
    let first = try ZeroCopySocket.connect(to: "udp:\(host):9")
    let address = "udp:\(first.localAddress)"
    // A datagram that is lost must not be waited for without an end.
    let second = try ZeroCopySocket.connect(
      to: address, configuration: Configuration(readTimeout: .seconds(20)))
    let descriptor = try Datagrams.reconnected(first, to: second.localAddress)
    if passesForVsock { try #require(cts_pass_for_vsock(descriptor.rawValue) == 0) }
    self.client = try ZeroCopySocket(adopting: descriptor, configuration: client)
    self.server = second
  }

  /// connect(2) once more, to another peer.
  private static func reconnected(_ socket: consuming ZeroCopySocket, to address: String) throws
    -> FileDescriptor
  {
    var socket = socket
    let descriptor = try socket.relinquish()
    let port = UInt16(address.split(separator: ":").last ?? "") ?? 0
    if address.hasPrefix("[") {
      var peer = sockaddr_in6()
      peer.sin6_family = sa_family_t(AF_INET6)
      peer.sin6_port = port.bigEndian
      peer.sin6_addr = in6addr_loopback
      withUnsafePointer(to: &peer) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = Glibc.connect(descriptor.rawValue, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
        }
      }
    } else {
      var peer = sockaddr_in()
      peer.sin_family = sa_family_t(AF_INET)
      peer.sin_port = port.bigEndian
      peer.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      withUnsafePointer(to: &peer) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = Glibc.connect(descriptor.rawValue, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    return descriptor
  }
}

@Suite("Datagrams")
struct DatagramTests {
  static let hosts = ["127.0.0.1", "[::1]"]

  @Test(
    "Each call is one datagram, whatever its pieces", arguments: hosts,
    [WriteMode.zeroCopy, .copy, .automatic])
  func boundaries(_ host: String, _ mode: WriteMode) throws {
    var pair = try Datagrams(host)
    let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
    for size in [1, 1000, 50_000, 60_000] {
      let head = UnsafeRawBufferPointer(rebasing: memory[..<(size / 2)])
      let tail = UnsafeRawBufferPointer(rebasing: memory[(size / 2)..<size])
      #expect(try pair.client.writev([head, tail], mode: mode) == size)
      try pair.client.writeAll([head, tail], mode: mode)
      for _ in 0..<2 {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var span = buffer.mutableSpan
        #expect(try pair.server.read(into: &span) == size)
        #expect(buffer[..<size].elementsEqual(memory[..<size]))
      }
    }
    let flushed = try pair.client.flush(timeout: .seconds(10))
    #expect(flushed.completed == pair.client.statistics.zeroCopySends)
    // Automatic mode tries both ways with the large ones.
    #expect(
      mode == .automatic ? (1...4).contains(flushed.completed) : flushed.completed == (mode == .copy ? 0 : 8))
  }

  @Test("A datagram that is too long is refused, takes no id, and the socket goes on")
  func tooLong() throws {
    var pair = try Datagrams("127.0.0.1")
    let memory = UnsafeRawBufferPointer(pinnedBytes(70_000))
    for mode in [WriteMode.zeroCopy, .copy] {
      let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: mode) }
      #expect(failure?.code == .messageTooLong)
      #expect(failure?.isSocketUsable == true)
    }
    try sendsExactly(&pair, 10)
  }

  @Test("More buffers than one system call takes are refused, and not cut in two")
  func tooManyBuffers() throws {
    var pair = try Datagrams("127.0.0.1")
    let byte = UnsafeRawBufferPointer(pinnedBytes(1))
    #expect(try pair.client.writev(Array(repeating: byte, count: 1024), mode: .copy) == 1024)
    #expect(
      error { () throws(ZeroCopyError) in
        _ = try pair.client.writev(Array(repeating: byte, count: 1025), mode: .copy)
      }?.code == .messageTooLong)
    try expectDatagram(&pair.server, 1024)
  }

  @Test("More pieces than a datagram's fragments hold are refused in zero copy, and copied in automatic mode")
  func tooManyPieces() throws {
    var pair = try Datagrams("127.0.0.1")
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    let pieces = (0..<100).map { UnsafeRawBufferPointer(rebasing: memory[($0 * 8192)..<($0 * 8192 + 500)]) }
    #expect(
      error { () throws(ZeroCopyError) in _ = try pair.client.writev(pieces, mode: .zeroCopy) }?.code
        == .messageTooLong)
    #expect(try pair.client.writev(pieces, mode: .automatic) == 50_000)
    #expect(pair.client.statistics.fallbacks == 1)
    try expectDatagram(&pair.server, 50_000)
    try sendsExactly(&pair, 3)
  }

  @Test("One that is longer than the room for it is told", arguments: hosts)
  func cut(_ host: String) throws {
    var pair = try Datagrams(host)
    for count in [1000, 10] {
      try pair.client.writeAll(
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(pinnedBytes(1000))[..<count]), mode: .copy)
    }
    var room = [UInt8](repeating: 0, count: 10)
    let failure = error { () throws(ZeroCopyError) in
      var span = room.mutableSpan
      _ = try pair.server.read(into: &span)
    }
    #expect(failure?.code == .messageTooLong)
    #expect(failure?.isSocketUsable == true)
    #expect(failure?.message.contains("1000") == true)
    try expectDatagram(&pair.server, 10)
  }

  @Test("Towards an IPv4 peer an IPv6 socket has the limits of IPv4 (rule 38)")
  func mapped() throws {
    let receiver = try ZeroCopySocket.connect(to: "udp:127.0.0.1:9")
    let port = receiver.localAddress.split(separator: ":")[1]
    var sender = try ZeroCopySocket.connect(to: "udp:[::ffff:127.0.0.1]:\(port)")
    let memory = UnsafeRawBufferPointer(pinnedBytes(65_508))
    let failure = error { () throws(ZeroCopyError) in try sender.writeAll(memory, mode: .copy) }
    #expect(failure?.code == .messageTooLong)
    #expect(failure?.message.contains("65507") == true)
    let largest = UnsafeRawBufferPointer(rebasing: memory[..<65_507])
    #expect(error { () throws(ZeroCopyError) in try sender.writeAll(largest, mode: .copy) } == nil)
    withExtendedLifetime(receiver) {}
  }

  @Test("What a firewall refuses says where to look")
  func refused() throws {
    var pair = try Datagrams("127.0.0.1")
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.nextSends([.failure(.notPermitted)])
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(10)), mode: .copy)
    }
    #expect(failure?.errno == .notPermitted)
    #expect(failure?.message.contains("firewall") == true)
  }

  private func expectDatagram(_ socket: inout ZeroCopySocket, _ size: Int) throws {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var span = buffer.mutableSpan
    #expect(try socket.read(into: &span) == size)
  }

  @Test(
    "A send that fails after its datagram was built takes an id, and no later one is released early (rule 2)")
  func failedSendTakesID() throws {
    var pair = try Datagrams("127.0.0.1")
    try sendsExactly(&pair, 5)
    // Segmentation without checksums is refused only once the datagram is built: EINVAL, and an id.
    pair.client.setOption(17, 103, 1000)
    pair.client.setOption(SOL_SOCKET, SO_NO_CHECK, 1)
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    for _ in 0..<7 {
      let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
      #expect(failure?.code == .segmentationUnavailable)
      #expect(failure?.errno == .invalidArgument)
      #expect(pair.client.statistics.inFlight == 0)
    }
    pair.client.setOption(17, 103, 0)
    pair.client.setOption(SOL_SOCKET, SO_NO_CHECK, 0)
    try sendsExactly(&pair, 20)
    #expect(pair.client.statistics.completed == 25)
    #expect(pair.client.statistics.unknownNotifications == 0)
    #expect(pair.client.statistics.settled == 0)
  }

  /// Sends and receives, one datagram after the other, and finds each confirmed once.
  private func sendsExactly(_ pair: inout Datagrams, _ count: Int) throws {
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for _ in 0..<count {
      try pair.client.writeAll(memory, mode: .zeroCopy)
      var buffer = [UInt8](repeating: 0, count: 2000)
      var span = buffer.mutableSpan
      #expect(try pair.server.read(into: &span) == 1000)
    }
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == count)
  }

  @Test(
    "An ICMP error is an answer to an earlier datagram: counted as foreign, and the socket goes on (rule 11)")
  func icmp() throws {
    var pair = try Datagrams("127.0.0.1")
    pair.client.setOption(Int32(IPPROTO_IP), IP_RECVERR, 1)
    try pair.server.close(timeout: .zero)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    var refused = 0
    for _ in 0..<20 {
      let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
      if let failure {
        #expect(failure.code == .connectionRefused)
        #expect(failure.isSocketUsable)
        refused += 1
      }
    }
    #expect(refused > 0)
    try pair.client.flush(timeout: .seconds(10))
    #expect(pair.client.statistics.foreignMessages > 0)
    #expect(pair.client.statistics.completed == pair.client.statistics.zeroCopySends)
  }

  @Test("Borrowed memory is free again when writeAndFlush returns", arguments: hosts)
  func borrowed(_ host: String) throws {
    var pair = try Datagrams(host)
    var bytes = [UInt8](repeating: 1, count: 30_000)
    try pair.client.writeAndFlush(bytes.span, timeout: .seconds(10), mode: .zeroCopy)
    for index in bytes.indices { bytes[index] = 2 }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var span = buffer.mutableSpan
    #expect(try pair.server.read(into: &span) == 30_000)
    #expect(buffer[..<30_000].allSatisfy { $0 == 1 })
  }

  @Test("Option memory that something else of the socket's uses does not keep memory from coming back")
  func otherOptionMemory() throws {
    var pair = try Datagrams("127.0.0.1")
    try sendsExactly(&pair, 3)
    // A group that is joined takes some, as a filter does.
    var group = ip_mreqn()
    group.imr_multiaddr.s_addr = UInt32(0xE0A0_B0C0).bigEndian
    group.imr_address.s_addr = UInt32(0x7F00_0001).bigEndian
    #expect(
      setsockopt(
        pair.client.fileDescriptor.rawValue, Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, &group,
        socklen_t(MemoryLayout<ip_mreqn>.size)) == 0)
    let tooLong = [UInt8](repeating: 0, count: 70_000)
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(tooLong.span, timeout: .seconds(600), mode: .zeroCopy)
    }
    #expect(failure?.code == .messageTooLong)
    #expect(pair.client.statistics.inFlight == 0)
    try sendsExactly(&pair, 3)
  }
}
