import CLanes
import CZeroCopy
import SystemPackage
import ZeroCopy

/// Counts the datagrams of those who have greeted, and drops all others.
struct DatagramSink: ~Copyable {
  private struct Session {
    let nonce: UInt64
    var bytes = 0
    var datagrams = 0
    var lastSeen: UInt64
  }

  /// So many at once. Who has been silent for longest makes room for the next one.
  private static let sessions = 1024

  private let descriptor: FileDescriptor
  private let isQuiet: Bool
  private var peers: [UInt64: Session] = [:]
  private var refused = 0

  init(_ endpoint: Endpoint, isQuiet: Bool) throws {
    descriptor = try Self.bind(endpoint)
    self.isQuiet = isQuiet
    note("listening on udp:\(Self.localAddress(descriptor))")
  }

  deinit { try? descriptor.close() }

  mutating func serve() throws -> Never {
    var peer = cln_peer()
    var buffer = [UInt8](repeating: 0, count: Greeting.size)
    while true {
      // C writes at most `size` bytes and the peer, and keeps no pointer.
      let count = unsafe buffer.withUnsafeMutableBytes {
        unsafe cln_receive_from(descriptor.rawValue, $0.baseAddress, $0.count, 60_000, &peer)
      }
      if count >= 0 {
        take(Int(count), buffer, peer)
      } else if count != -Int64(Errno.timedOut.rawValue), count != -Int64(Errno.interrupted.rawValue),
        count != -Int64(Errno.connectionRefused.rawValue)
      {
        throw Failure("cannot receive (\(Errno(rawValue: CInt(-count))))")
      }
    }
  }

  private mutating func take(_ count: Int, _ buffer: [UInt8], _ peer: cln_peer) {
    let now = czc_now()
    guard count == Greeting.size, let message = Greeting(buffer) else {
      guard peers[peer.key] != nil else {
        refuse()
        return
      }
      peers[peer.key]?.bytes += count
      peers[peer.key]?.datagrams += 1
      peers[peer.key]?.lastSeen = now
      return
    }
    switch message.kind {
    case .hello:
      if message.version == Greeting.version, peers[peer.key]?.nonce != message.nonce {
        makeRoom()
        peers[peer.key] = Session(nonce: message.nonce, lastSeen: now)
      }
      answer(Greeting(.welcome, nonce: message.nonce), peer)
    case .howMuch:
      guard let session = peers[peer.key] else { return }
      answer(
        Greeting(.soMuch, nonce: message.nonce, bytes: session.bytes, datagrams: session.datagrams), peer)
      if !isQuiet { note("received \(session.datagrams) datagrams, \(formatted(bytes: session.bytes))") }
    case .welcome, .soMuch: refuse()
    }
  }

  /// As long as the question, so that nobody's address can be used to make more of it.
  private func answer(_ greeting: Greeting, _ peer: cln_peer) {
    var peer = peer
    // One that is lost is asked for again. C keeps no pointer.
    _ = unsafe greeting.message.withUnsafeBytes {
      unsafe cln_send_to(descriptor.rawValue, $0.baseAddress, $0.count, &peer)
    }
  }

  private mutating func makeRoom() {
    guard peers.count >= Self.sessions, let oldest = peers.min(by: { $0.value.lastSeen < $1.value.lastSeen })
    else { return }
    peers[oldest.key] = nil
  }

  /// Says so rarely: there may be very many.
  private mutating func refuse() {
    refused += 1
    if !isQuiet, refused & (refused - 1) == 0 { note("refused \(refused) datagrams of who did not greet") }
  }

  private static func bind(_ endpoint: Endpoint) throws -> FileDescriptor {
    // udp:HOST:PORT or udp:[V6]:PORT, as it was checked.
    let text = "\(endpoint)".dropFirst("udp:".count)
    let colon = text.lastIndex(of: ":") ?? text.endIndex
    let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
    let port = UInt16(text[colon...].dropFirst()) ?? 0
    var address = czc_address()
    var code: CInt = 0
    // C writes at most one address and keeps no pointer.
    guard unsafe czc_resolve(String(host), port, CInt(CZC_DATAGRAM), true, &address, 1, &code) > 0 else {
      throw Failure("'\(host)' does not resolve; check the name")
    }
    let number = unsafe czc_open(&address)
    guard number >= 0 else { throw Failure("cannot make a socket (\(Errno(rawValue: -number)))") }
    let result = unsafe cln_bind_datagrams(number, &address.bytes, address.length)
    guard result == 0 else {
      _ = czc_close(number)
      throw Failure("cannot listen on \(endpoint) (\(Errno(rawValue: -result)))")
    }
    return FileDescriptor(rawValue: number)
  }

  private static func localAddress(_ descriptor: FileDescriptor) -> String {
    // C writes at most `capacity` bytes and says how many.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CZC_ADDRESS_TEXT)) { buffer in
      let count = unsafe czc_local_address_text(descriptor.rawValue, buffer.baseAddress, buffer.count)
      guard count > 0 else { return "unknown" }
      return unsafe String(decoding: UnsafeRawBufferPointer(buffer)[..<Int(count)], as: UTF8.self)
    }
  }
}
