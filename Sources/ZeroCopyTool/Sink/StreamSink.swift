import CLanes
import CZeroCopy
import Dispatch
import SystemPackage
import ZeroCopy

/// Receives streams, each on a thread of its own.
struct StreamSink: ~Copyable {
  /// So many at once; the next one waits.
  private static let sessions = 32
  /// Nanoseconds in which a peer has to greet, and in which one that has greeted has to send something: on a slow
  /// path each subject of a bench waits for long until it is its turn. One that is gone is noticed sooner.
  private static let patienceForGreeting: UInt64 = 5_000_000_000
  private static let patienceForData: UInt64 = 1_800_000_000_000

  private var listener: ZeroCopyListener
  private let isQuiet: Bool

  init(_ endpoint: Endpoint, isQuiet: Bool) throws {
    let configuration = Configuration(
      writeTimeout: .nanoseconds(Int64(Self.patienceForGreeting)),
      readTimeout: .nanoseconds(Int64(Self.patienceForGreeting)))
    listener = try ZeroCopyListener(binding: endpoint, configuration: configuration)
    self.isQuiet = isQuiet
    note("listening on \(listener.localAddress)")
  }

  mutating func serve() throws -> Never {
    let free = DispatchSemaphore(value: Self.sessions)
    let threads = DispatchQueue(label: "sessions", attributes: .concurrent)
    let isQuiet = isQuiet
    while true {
      free.wait()
      do {
        let peer = Handoff(try listener.accept())
        threads.async {
          if var socket = peer.take() {
            let outcome = Self.receive(&socket)
            if !isQuiet { note(outcome) }
          }
          free.signal()
        }
      } catch {
        free.signal()
        guard error.isSocketUsable else { throw error }
        // No descriptor left, for instance: not to be asked again at once.
        if !isQuiet { note(words(error)) }
        czc_pause(100_000_000)
      }
    }
  }

  /// Serves one peer to its end.
  /// - Returns: What came of it, for a person.
  private static func receive(_ socket: inout ZeroCopySocket) -> String {
    let name = socket.peerAddress.isEmpty ? "a peer" : socket.peerAddress
    do {
      guard let hello = try greeting(&socket) else {
        socket.abort()
        return "refused \(name): it did not greet"
      }
      try send(Greeting(.welcome, nonce: hello.nonce), &socket)
      guard hello.version == Greeting.version else {
        return "refused \(name): it greets in version \(hello.version), this is \(Greeting.version)"
      }
      _ = czc_set_receive_timeout(socket.fileDescriptor.rawValue, patienceForData)
      // Only TCP needs it, and only TCP has it.
      _ = cln_notice_vanished_peer(socket.fileDescriptor.rawValue)
      let bytes = try drop(&socket)
      try send(Greeting(.soMuch, nonce: hello.nonce, bytes: bytes), &socket)
      return "received \(formatted(bytes: bytes)) from \(name)"
    } catch {
      socket.abort()
      return "\(name): \((error as? ZeroCopyError).map(words) ?? "\(error)")"
    }
  }

  /// - Returns: `nil` where what came is none, or too slow.
  private static func greeting(_ socket: inout ZeroCopySocket) throws -> Greeting? {
    let end = czc_now() + patienceForGreeting
    var message: [UInt8] = []
    while message.count < Greeting.size {
      var buffer = [UInt8](repeating: 0, count: Greeting.size - message.count)
      var span = buffer.mutableSpan
      let count = try socket.read(into: &span)
      message += buffer[..<count]
      guard count > 0, Greeting.mayBegin(message), czc_now() < end else { return nil }
    }
    return Greeting(message).flatMap { $0.kind == .hello ? $0 : nil }
  }

  private static func send(_ greeting: Greeting, _ socket: inout ZeroCopySocket) throws {
    let message = greeting.message
    // Copied: the memory is free again when the call returns.
    try unsafe message.withUnsafeBytes { try unsafe socket.writeAll($0, mode: .copy) }
  }

  private static func drop(_ socket: inout ZeroCopySocket) throws -> Int {
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var received = 0
    while true {
      var span = buffer.mutableSpan
      let count = try socket.read(into: &span)
      if count == 0 { return received }
      received += count
    }
  }
}
