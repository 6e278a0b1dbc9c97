import ArgumentParser
import ZeroCopy

/// Where the bench sends to.
enum BenchTarget: Equatable {
  case loopback, sink, wire
  /// Where a `zerocopy sink` runs, as a rule on another machine.
  case endpoint(Endpoint)

  init(parsing text: String) throws {
    switch text {
    case "loopback": self = .loopback
    case "sink": self = .sink
    case "wire": self = .wire
    default:
      do {
        self = .endpoint(try Endpoint(parsing: text))
      } catch {
        throw ValidationError(
          "'\(text)' is neither a lane (loopback, sink, wire) nor an endpoint: \(error.message)")
      }
    }
  }

  var name: String {
    switch self {
    case .loopback: "loopback"
    case .sink: "sink"
    case .wire: "wire"
    case .endpoint(let endpoint): "\(endpoint)"
    }
  }

  var isDatagram: Bool {
    switch self {
    case .loopback, .wire: false
    case .sink: true
    case .endpoint(let endpoint): !endpoint.isStream
    }
  }
}

/// What is measured, and how often.
struct Plan: Equatable {
  var sizes: [Int]
  var spans = Span.allCases
  var subjects = Subject.ofLibrary
  var rounds = 9
  /// Seconds of processor time that a round of copying takes.
  var window = 0.03
  /// How many new connections' first sends are measured, and the most bytes of them.
  var connections = 100
  var connectionBytes = 1 << 30

  /// The most bytes of a datagram over IPv4.
  static let largestDatagram = 65_507

  init(isDatagram: Bool, sizes: [Int]?, rounds: Int?, connections: Int?, subjects: [Subject]?, isQuick: Bool)
    throws
  {
    let all = isDatagram ? [12, 13, 14, 15].map { 1 << $0 } + [65_000] : (12...22).map { 1 << $0 }
    // The smallest and the largest, and every other one between.
    let few = all.enumerated().filter { $0.offset % 2 == 0 || $0.element == all.last }.map(\.element)
    self.sizes = Array(Set(sizes ?? (isQuick ? few : all))).sorted()
    if isQuick { (self.rounds, window, self.connections, connectionBytes) = (3, 0.005, 5, 32 << 20) }
    if let rounds { self.rounds = rounds }
    if let connections { self.connections = connections }
    if let subjects {
      // Everything is compared with copying.
      self.subjects = Subject.ofLibrary.filter { $0 == .copy || subjects.contains($0) }
    }
    try check(isDatagram: isDatagram)
  }

  private func check(isDatagram: Bool) throws {
    guard (1...1001).contains(rounds) else { throw ValidationError("--rounds takes 1 to 1001") }
    guard (0...100_000).contains(connections) else {
      throw ValidationError("--connections takes 0 to 100000")
    }
    if let size = sizes.first(where: { $0 <= Greeting.size }) {
      throw ValidationError(
        "a send of \(size) bytes is no larger than the greeting; take more than \(Greeting.size)")
    }
    if isDatagram, let size = sizes.first(where: { $0 > Self.largestDatagram }) {
      throw ValidationError(
        "a datagram holds \(Self.largestDatagram) bytes at most, and a send of \(size) is larger")
    }
    if let size = sizes.first(where: { $0 > Span.cold.bytes }) {
      throw ValidationError(
        "a send of \(size) bytes is larger than the \(Span.cold.bytes) bytes of memory that are sent in turn")
    }
  }

  /// So many sends, at least, make a connection know its path: they are not in what is measured.
  static func warmUp(_ size: Int) -> Int { max(64, (2 << 20) / size) }
  /// A slow path gets to be known for no longer than this, in nanoseconds; nor does it go on with new connections'
  /// first sends, once there are a few.
  static let longestWarmUp: UInt64 = 5_000_000_000
  static let longestFirstSends: UInt64 = 30_000_000_000
  static let fewestConnections = 3

  /// How many sends a round takes.
  /// - Parameters:
  ///   - window: Seconds of processor time that it is to take.
  ///   - cost: Of one send, by copying. A processor clock may be coarse, and know nothing of a few sends.
  ///   - time: Seconds of one send. On a slow path a round takes not much more than two, and the others wait as long.
  static func sends(in window: Double, cost: Double, time: Double) -> Int {
    let most = min(1e6, 2 / max(time, 1e-9))
    return max(8, Int(min(most, window / max(cost, time / 20, 1e-9))))
  }

  /// How many connections' first sends are measured.
  func connections(for size: Int) -> Int {
    connections == 0
      ? 0 : min(connections, max(Self.fewestConnections, connectionBytes / (size * Self.warmUp(size))))
  }

  var steps: Int { spans.count * sizes.count * (rounds + 1) * subjects.count }
}
