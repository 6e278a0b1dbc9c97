import Glibc
import Synchronization
import TestSupport

/// What stands at the other end in place of the command: plain sockets, as nc or socat would use them.
enum RawPeer {
  /// A TCP socket, or one of UDP, on a free port of 127.0.0.1.
  struct Bound: Sendable {
    let descriptor: CInt
    let endpoint: String

    /// - Parameter receiveBuffer: Bytes; small, so that a sender soon waits.
    init(listens: Bool = true, receiveBuffer: CInt? = nil, isDatagram: Bool = false) throws {
      let type = isDatagram ? SOCK_DGRAM : SOCK_STREAM
      descriptor = try checked(
        socket(AF_INET, CInt(type.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0), "socket")
      RawPeer.bound(descriptor)
      if var size = receiveBuffer {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
      }
      var address = loopback(port: 0)
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let number = descriptor
      _ = try withSocketAddress(&address) { try checked(bind(number, $0, length), "bind") }
      if listens, !isDatagram { _ = try checked(listen(descriptor, 8), "listen") }
      _ = try withSocketAddress(&address) { try checked(getsockname(number, $0, &length), "getsockname") }
      endpoint = "127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }

    /// Waits for a connection.
    func accept() throws -> CInt {
      var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&ready, 1, 30_000) == 1 else { throw SystemFailure(call: "poll", errno: errno) }
      return try descriptorsAreInTheMaking.withLock { _ in
        let peer = try checked(Glibc.accept(descriptor, nil, nil), "accept")
        _ = fcntl(peer, F_SETFD, FD_CLOEXEC)
        RawPeer.bound(peer)
        return peer
      }
    }

    /// Waits for a datagram, and answers it where there is something to answer.
    /// - Returns: `nil` where none came.
    @discardableResult
    func take(answering: ([UInt8]) -> [UInt8]? = { _ in nil }) throws -> [UInt8]? {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      var peer = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let count = withSocketAddress(&peer) { peer in
        recvfrom(descriptor, &buffer, buffer.count, 0, peer, &length)
      }
      guard count >= 0 else { return nil }
      let message = Array(buffer[..<count])
      if let answer = answering(message) {
        _ = try withSocketAddress(&peer) {
          try checked(CInt(sendto(descriptor, answer, answer.count, 0, $0, length)), "sendto")
        }
      }
      return message
    }

    func close() { _ = Glibc.close(descriptor) }
  }

  /// Connects to 127.0.0.1:PORT.
  static func connect(to endpoint: String) throws -> CInt {
    let port = endpoint.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
    let descriptor = try checked(
      socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0), "socket")
    bound(descriptor)
    var address = loopback(port: port)
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = try withSocketAddress(&address) { try checked(Glibc.connect(descriptor, $0, length), "connect") }
    return descriptor
  }

  /// Reads exactly so many bytes and drops them.
  static func drop(_ count: Int, from descriptor: CInt) throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var left = count
    while left > 0 {
      let received = recv(descriptor, &buffer, min(left, buffer.count), 0)
      guard received > 0 else { throw SystemFailure(call: "recv", errno: errno) }
      left -= received
    }
  }

  /// Reads until the connection ends, in whichever way.
  static func dropRest(of descriptor: CInt) {
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while recv(descriptor, &buffer, buffer.count, 0) > 0 {}
  }

  static func send(_ bytes: [UInt8], to descriptor: CInt) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, CInt(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw SystemFailure(call: "send", errno: errno) }
      sent += count
    }
  }

  /// Vanishes: closes by a reset.
  static func reset(_ descriptor: CInt) {
    var value = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    close(descriptor)
  }

  /// No wait of a test's own is without a bound.
  private static func bound(_ descriptor: CInt) {
    var time = timeval(tv_sec: 30, tv_usec: 0)
    for name in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, name, &time, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    return address
  }

  private static func withSocketAddress<Result>(
    _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) throws -> Result
  ) rethrows -> Result {
    try withUnsafeMutablePointer(to: &address) {
      try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0) }
    }
  }
}
