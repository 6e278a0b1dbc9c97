import CZeroCopy
import SystemPackage
import ZeroCopy

/// A connection to a `zerocopy sink`, made by greeting it.
enum GreetedSocket {
  /// The longest that the other end may take to answer.
  static let patience: UInt64 = 5_000_000_000

  /// Connects, greets, and waits for the answer. Nothing but the greeting is sent before that.
  /// - Throws: `ZeroCopyError`, or a `Failure` where who answers is no sink.
  static func connect(to endpoint: Endpoint) throws -> ZeroCopySocket {
    let configuration = Configuration(
      writeTimeout: .seconds(60), readTimeout: endpoint.isStream ? .seconds(5) : .milliseconds(250))
    var socket: ZeroCopySocket
    do {
      socket = try ZeroCopySocket.connect(to: endpoint, configuration: configuration)
    } catch {
      throw error.code == .connectionRefused ? nobody(endpoint) : error
    }
    let hello = Greeting(.hello, nonce: UInt64.random(in: 0 ... .max))
    let answer = try ask(hello, &socket, endpoint)
    guard answer.kind == .welcome, answer.nonce == hello.nonce else {
      throw stranger(endpoint, "its answer to the greeting is none")
    }
    guard answer.version == Greeting.version else {
      throw Failure(
        "the 'zerocopy sink' at \(endpoint) speaks version \(answer.version) of the greeting, and this is"
          + " \(Greeting.version); use the same zerocopy at both ends")
    }
    return socket
  }

  /// Ends the sending, and asks the sink what has arrived.
  static func end(_ socket: inout ZeroCopySocket, _ endpoint: Endpoint) throws -> Greeting {
    try socket.flush(timeout: .seconds(60))
    let nonce = UInt64.random(in: 0 ... .max)
    let answer: Greeting
    if endpoint.isStream {
      try socket.finishWriting()
      _ = czc_set_receive_timeout(socket.fileDescriptor.rawValue, 60_000_000_000)
      answer = try listen(&socket, endpoint, until: czc_now() + 60_000_000_000)
    } else {
      answer = try ask(Greeting(.howMuch, nonce: nonce), &socket, endpoint)
    }
    guard answer.kind == .soMuch else { throw stranger(endpoint, "it does not say what it received") }
    return answer
  }

  /// A datagram may be lost: it is asked again.
  private static func ask(
    _ question: Greeting, _ socket: inout ZeroCopySocket, _ endpoint: Endpoint
  ) throws -> Greeting {
    let end = czc_now() + patience
    while true {
      do {
        let message = question.message
        // Copied: the memory is free again when the call returns.
        try unsafe message.withUnsafeBytes { try unsafe socket.writeAll($0, mode: .copy) }
        return try listen(&socket, endpoint, until: end)
      } catch let error as ZeroCopyError {
        switch error.code {
        case .timedOut where endpoint.isStream || czc_now() >= end:
          throw stranger(endpoint, "it has not answered the greeting within 5 s")
        case .timedOut: continue
        case .connectionRefused:
          throw nobody(endpoint)
        case .connectionLost: throw stranger(endpoint, "it has hung up on the greeting")
        default: throw error
        }
      }
    }
  }

  private static func listen(
    _ socket: inout ZeroCopySocket, _ endpoint: Endpoint, until end: UInt64
  ) throws -> Greeting {
    var message: [UInt8] = []
    while message.count < Greeting.size {
      var buffer = [UInt8](repeating: 0, count: Greeting.size - message.count)
      var span = buffer.mutableSpan
      let count = try socket.read(into: &span)
      if count == 0 { throw stranger(endpoint, "it has hung up on the greeting") }
      message += buffer[..<count]
      // One byte a second would go on for long.
      guard Greeting.mayBegin(message), czc_now() < end else { break }
    }
    guard let answer = Greeting(message) else {
      throw stranger(endpoint, "its answer to the greeting is none")
    }
    return answer
  }

  private static func nobody(_ endpoint: Endpoint) -> Failure {
    Failure("nobody listens at \(endpoint); run there: zerocopy sink \(endpoint)")
  }

  private static func stranger(_ endpoint: Endpoint, _ why: String) -> Failure {
    Failure(
      "what answers at \(endpoint) is no 'zerocopy sink': \(why); nothing was sent but the greeting."
        + " Run there: zerocopy sink \(endpoint)")
  }
}
