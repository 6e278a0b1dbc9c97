import ArgumentParser
import CLanes
import CZeroCopy
import SystemPackage
import ZeroCopy

/// The way from the sender to who receives: a lane that this process is moved into, or the network as it is.
final class BenchPath {
  let target: BenchTarget
  let endpoint: Endpoint
  private let receiver: Receiver?
  /// What was sent to a receiver that counts, and what of it has arrived.
  private(set) var sent = 0
  private(set) var arrived = 0

  /// Sets up what the target needs. This process must have a single thread so far.
  init(_ target: BenchTarget) throws {
    self.target = target
    switch target {
    case .endpoint(let endpoint):
      self.endpoint = endpoint
      receiver = nil
    case .loopback:
      let receiver = try Receiver(at: "127.0.0.1:0", network: nil)
      (endpoint, self.receiver) = (receiver.endpoint, receiver)
    case .sink:
      try Self.enter(.sink, "sink")
      // Its device swallows every packet: there is nobody to greet.
      endpoint = .udp(host: "10.77.0.2", port: 9)
      receiver = nil
    case .wire:
      try Self.enter(.wire(late: nil), "wire")
      let receiver = try Receiver(at: "10.77.0.2:0", network: Self.variable("ZEROCOPY_LANE_PEER_NETWORK"))
      (endpoint, self.receiver) = (receiver.endpoint, receiver)
    }
    // Between two machines each has its processors for itself.
    if case .endpoint = target {} else { _ = cln_stay_on_first_processor() }
  }

  var isDatagram: Bool { !endpoint.isStream }

  /// A connection to a receiver that has answered the greeting.
  func connect() throws -> ZeroCopySocket {
    if target == .sink { return try ZeroCopySocket.connect(to: endpoint) }
    return try GreetedSocket.connect(to: endpoint)
  }

  /// Asks the receiver what it has received.
  /// - Throws: Where a stream has lost something; datagrams may be lost.
  func noteEnd(_ socket: inout ZeroCopySocket) throws {
    if target == .sink { return }
    let bytes = socket.statistics.bytes
    let answer = try GreetedSocket.end(&socket, endpoint)
    // The greeting is no data. A datagram's may have been sent more than once.
    sent += bytes - Greeting.size
    arrived += Int(answer.bytes)
    if !isDatagram, Int(answer.bytes) != bytes - Greeting.size {
      throw Failure("\(answer.bytes) bytes have arrived of the \(bytes - Greeting.size) that were sent")
    }
  }

  /// Throws where there is nothing to compare.
  func checkZeroCopy() throws {
    var socket = try connect()
    guard socket.availability.isAvailable else {
      throw Failure(
        "there is nothing to compare on the way to \(endpoint): zero copy is \(socket.availability)")
    }
    try socket.close(timeout: .seconds(5))
  }

  private static func enter(_ lane: Lane, _ name: String) throws {
    // 'zerocopy lane' has moved us there already.
    if variable("ZEROCOPY_LANE") == name { return }
    do {
      try lane.enter(asNewUser: false)
    } catch let reason as Lane.Unavailable {
      note("there is no lane '\(name)' here: \(reason)")
      throw ExitCode(77)
    }
  }

  private static func variable(_ name: String) -> String? {
    // The environment's own memory, which nobody changes meanwhile.
    unsafe cln_variable(name).map { unsafe String(cString: $0) }
  }
}

/// A `zerocopy sink` that this process has started, and that ends with it.
private final class Receiver {
  let endpoint: Endpoint
  private let process: CInt
  private let output: FileDescriptor

  init(at address: String, network: String?) throws {
    (process, output) = try start(
      ["/proc/self/exe", "sink", address, "--quiet"], network: network, onLastProcessor: true)
    let beginning = "listening on "
    let line = output.line()
    guard line.hasPrefix(beginning), let endpoint = Endpoint(String(line.dropFirst(beginning.count))) else {
      _ = cln_end(process, true)
      throw Failure("the receiver did not start\(line.isEmpty ? "" : ": \(line)")")
    }
    self.endpoint = endpoint
  }

  deinit {
    _ = cln_end(process, true)
    try? output.close()
  }
}

/// Starts a program, whose output can be read.
func start(
  _ arguments: [String], network: String? = nil, onLastProcessor: Bool = false
) throws -> (process: CInt, output: FileDescriptor) {
  var words = unsafe arguments.map { unsafe cln_copy($0) }
  unsafe words.append(nil)
  defer { for index in unsafe words.indices { unsafe cln_free(words[index]) } }
  var output: CInt = -1
  // C keeps no pointer.
  let process = unsafe cln_start(words, network, onLastProcessor, &output)
  guard process >= 0 else { throw Failure("cannot start '\(arguments[0])' (\(Errno(rawValue: -process)))") }
  return (process, FileDescriptor(rawValue: output))
}

extension FileDescriptor {
  /// The first line that comes, or what came of it before the end.
  func line() -> String {
    var line: [UInt8] = []
    var byte: [UInt8] = [0]
    while true {
      let count = (try? unsafe byte.withUnsafeMutableBytes { try unsafe read(into: $0) }) ?? 0
      if count == 0 || byte[0] == 10 { return String(decoding: line, as: UTF8.self) }
      line += byte
    }
  }
}
