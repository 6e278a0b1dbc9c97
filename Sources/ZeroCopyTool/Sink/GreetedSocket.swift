import CZeroCopy
import SystemPackage
import ZeroCopy

/// A connection to a `zerocopy sink`, made by greeting it.
enum GreetedSocket {
  /// The longest that the other end may take to answer, in nanoseconds; at the end of a stream it has to receive first
  /// what is under way.
  private static let patience: UInt64 = 5_000_000_000
  private static let patienceAtTheEnd: UInt64 = 60_000_000_000

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
    let answer: Greeting
    do {
      answer = try ask(hello, &socket, endpoint)
      guard answer.kind == .welcome, answer.nonce == hello.nonce else { throw NoAnswer.another }
    } catch let error as NoAnswer {
      throw error == .nobody ? nobody(endpoint) : stranger(endpoint, error)
    }
    guard answer.version == Greeting.version else {
      throw Failure(
        "the 'zerocopy sink' at \(endpoint) speaks version \(answer.version) of the greeting, and this is"
          + " \(Greeting.version); use the same zerocopy at both ends")
    }
    return socket
  }

  /// Ends the sending, and asks the sink what has arrived.
  /// - Throws: A `Failure` where it does not say.
  static func end(_ socket: inout ZeroCopySocket, _ endpoint: Endpoint) throws -> Greeting {
    try socket.flush(timeout: .seconds(60))
    do {
      let answer: Greeting
      if endpoint.isStream {
        do { try socket.finishWriting() } catch { throw NoAnswer(error) ?? error as any Error }
        _ = czc_set_receive_timeout(socket.fileDescriptor.rawValue, patienceAtTheEnd)
        answer = try listen(&socket, until: czc_now() + patienceAtTheEnd)
      } else {
        let question = Greeting(.howMuch, nonce: UInt64.random(in: 0 ... .max))
        answer = try ask(question, &socket, endpoint)
      }
      guard answer.kind == .soMuch else { throw NoAnswer.another }
      return answer
    } catch let error as NoAnswer {
      throw Failure(
        "the 'zerocopy sink' at \(endpoint) has not said what it received: \(error). Was it ended, or started anew?"
          + " Run there: zerocopy sink \(endpoint)")
    }
  }

  /// Why there is no answer.
  private enum NoAnswer: Error, CustomStringConvertible {
    case nobody, hungUp, silent, another

    var description: String {
      switch self {
      case .nobody: "nobody listens there"
      case .hungUp: "it has hung up"
      case .silent: "it does not answer"
      case .another: "its answer is none"
      }
    }

    /// `nil` where an error says nothing of the other end.
    init?(_ error: ZeroCopyError) {
      switch error.code {
      case .connectionRefused: self = .nobody
      case .connectionLost: self = .hungUp
      case .timedOut: self = .silent
      default: return nil
      }
    }
  }

  /// A datagram may be lost: it is asked again.
  private static func ask(
    _ question: Greeting, _ socket: inout ZeroCopySocket, _ endpoint: Endpoint
  ) throws -> Greeting {
    let end = czc_now() + patience
    while true {
      do {
        try say(question, &socket)
        return try listen(&socket, until: end)
      } catch NoAnswer.silent where !endpoint.isStream && czc_now() < end {
        continue
      }
    }
  }

  private static func say(_ question: Greeting, _ socket: inout ZeroCopySocket) throws {
    let message = question.message
    do {
      // Copied: the memory is free again when the call returns.
      try unsafe message.withUnsafeBytes { try unsafe socket.writeAll($0, mode: .copy) }
    } catch let error as ZeroCopyError {
      throw NoAnswer(error) ?? error as any Error
    }
  }

  private static func listen(_ socket: inout ZeroCopySocket, until end: UInt64) throws -> Greeting {
    var message: [UInt8] = []
    while message.count < Greeting.size {
      var buffer = [UInt8](repeating: 0, count: Greeting.size - message.count)
      let count: Int
      do throws(ZeroCopyError) {
        var span = buffer.mutableSpan
        count = try socket.read(into: &span)
      } catch {
        throw NoAnswer(error) ?? error as any Error
      }
      if count == 0 { throw NoAnswer.hungUp }
      message += buffer[..<count]
      // One byte a second would go on for long.
      guard Greeting.mayBegin(message), czc_now() < end else { break }
    }
    guard let answer = Greeting(message) else { throw NoAnswer.another }
    return answer
  }

  private static func nobody(_ endpoint: Endpoint) -> Failure {
    Failure("nobody listens at \(endpoint); run there: zerocopy sink \(endpoint)")
  }

  private static func stranger(_ endpoint: Endpoint, _ why: NoAnswer) -> Failure {
    Failure(
      "what answers at \(endpoint) is no 'zerocopy sink': \(why); nothing was sent but the greeting."
        + " Run there: zerocopy sink \(endpoint)")
  }
}
