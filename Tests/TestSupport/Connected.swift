import CZeroCopy
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The kinds of connection that a stream test runs over.
public enum Family: String, Sendable, CaseIterable {
  case ipv4, ipv6, unix

  public static let withZeroCopy: [Family] = [.ipv4, .ipv6]

  /// An endpoint that nobody else has.
  public var freeEndpoint: String {
    switch self {
    case .ipv4: "127.0.0.1:0"
    case .ipv6: "[::1]:0"
    case .unix: "unix:@zerocopy-test-\(UInt64.random(in: 0 ... .max))"
    }
  }
}

/// Both ends of one connection.
@frozen public struct Connected: ~Copyable, Sendable {
  public var client: ZeroCopySocket
  private var accepted: ZeroCopySocket?

  /// The other end, unless it was handed to a thread.
  public var server: ZeroCopySocket {
    _read { yield accepted! }
    _modify { yield &accepted! }
  }

  /// Hands the other end to a thread that reads or does whatever else a peer does.
  public mutating func serve<Value: Sendable>(
    _ work: @escaping @Sendable (inout ZeroCopySocket) throws -> Value
  ) -> Background<Value> {
    let server = Handoff(accepted.take()!)
    return Background {
      var socket = server.take()
      return try work(&socket)
    }
  }

  public init(
    _ family: Family = .ipv4, client: Configuration = Configuration(), server: Configuration = Configuration()
  ) throws {
    try self.init(
      through: try ZeroCopyListener(binding: family.freeEndpoint, configuration: server), client: client)
  }

  init(through listener: consuming ZeroCopyListener, client: Configuration) throws {
    let connected = try ZeroCopySocket.connect(to: listener.localAddress, configuration: client)
    let accepted = try listener.accept(timeout: .seconds(60))
    self.client = connected
    self.accepted = consume accepted
  }
}

extension Connected {
  /// Both ends, each for a thread of its own.
  public consuming func split() -> (client: Handoff<ZeroCopySocket>, server: Handoff<ZeroCopySocket>) {
    let server = Handoff(accepted.take()!)
    return (Handoff(client), server)
  }

  /// Lets the client go out of scope, and gives the other end.
  public consuming func dropClient() -> Handoff<ZeroCopySocket> {
    Handoff(accepted.take()!)
  }
}

extension ZeroCopySocket {
  /// Reads until the end of the stream, and drops what comes before.
  public mutating func expectEnd() throws(ZeroCopyError) {
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      var span = buffer.mutableSpan
      if try read(into: &span) == 0 { return }
    }
  }

  /// Reads exactly so many bytes, or to the end of the stream.
  public mutating func read(count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let received = try bytes.withUnsafeMutableBytes {
        try read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
      }
      if received == 0 { break }
      filled += received
    }
    bytes.removeLast(count - filled)
    return bytes
  }

  /// Reads one datagram, which has to be this one.
  public mutating func expectDatagram(_ expected: UnsafeRawBufferPointer) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 8)
    defer { buffer.deallocate() }
    let count = try read(into: buffer)
    if count != expected.count || czc_equal(buffer.baseAddress, expected.baseAddress, count) != 1 {
      throw WrongDatagram(byteCount: count, expected: expected.count)
    }
  }

  /// As `expectDatagram`, on a non-blocking descriptor.
  /// - Returns: Whether there was one.
  public mutating func expectDatagramIfAny(_ expected: UnsafeRawBufferPointer) throws -> Bool {
    do {
      try expectDatagram(expected)
      return true
    } catch let error as ZeroCopyError where error.code == .wouldBlock {
      return false
    }
  }

  /// Reads until the end of the stream.
  public mutating func readToEnd() throws -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      var span = buffer.mutableSpan
      let count = try read(into: &span)
      if count == 0 { return all }
      all += buffer[..<count]
    }
  }

  /// Sends until the kernel takes no more; nobody reads. The descriptor is left non-blocking.
  /// - Returns: The bytes accepted.
  public mutating func fill(with buffer: UnsafeRawBufferPointer, mode: WriteMode) throws -> Int {
    setBlocking(false)
    var accepted = 0
    do throws(ZeroCopyError) {
      while true { accepted += try writev(buffer, mode: mode) }
    } catch {
      guard error.code == .wouldBlock else { throw error }
    }
    return accepted
  }
}

extension Connected {
  /// Sends until a peer that reads nothing has no room, and then makes some at this end, much as root: what is
  /// sent from now on stays in flight until the peer reads. The descriptor is left non-blocking.
  /// - Returns: The bytes that wait for the peer.
  public mutating func stall() throws -> [UInt8] {
    client.setOption(SOL_SOCKET, SO_SNDBUF, 64 << 10)
    client.setBlocking(false)
    let block = pinnedBytes(64 << 10)
    var accepted = 0
    var room = pollfd(fd: client.fileDescriptor.rawValue, events: Int16(POLLOUT), revents: 0)
    repeat {
      do throws(ZeroCopyError) {
        while true {
          let rest = UnsafeRawBufferPointer(rebasing: block[(accepted % block.count)...])
          accepted += try client.writev(rest, mode: .copy)
        }
      } catch {
        guard error.code == .wouldBlock else { throw error }
      }
      // An acknowledgement may be late by 40 ms.
    } while poll(&room, 1, 100) > 0
    client.setOption(SOL_SOCKET, SO_SNDBUF, 200 << 10)
    client.setOption(SOL_SOCKET, Option.sendBufferForce, 64 << 20)
    return (0..<(accepted / block.count)).flatMap { _ in block } + block[..<(accepted % block.count)]
  }
}

/// What came was not what was sent.
public struct WrongDatagram: Error {
  let byteCount: Int
  let expected: Int
}
