import Glibc
import Synchronization
import SystemPackage
import TestSupport
import ZeroCopy

/// Sockets that end in the middle, in every way, while their buffers come from one pool and are scribbled over and
/// used by others the moment they are back.
final class AbruptEnds: Sendable {
  enum Ending: String, CaseIterable { case abort, drop, reset, timeOut, peerCloses }

  private struct State {
    var left: Int
    var nextSeed: UInt64
    var ends: [Ending: Int] = [:]
    var datagrams = 0
    /// That the receivers have checked.
    var ipv4Bytes = 0
    var ipv6Bytes = 0
    var trouble: String?

    var bytes: Int { ipv4Bytes + ipv6Bytes }

    mutating func add(_ byteCount: Int, _ family: Family) {
      if family == .ipv6 { ipv6Bytes += byteCount } else { ipv4Bytes += byteCount }
    }
  }

  private let state: Mutex<State>
  private let pool: BufferPool
  private let network: Plan.Network

  init(count: Int, seed: UInt64, network: Plan.Network) throws {
    state = Mutex(State(left: count, nextSeed: seed))
    pool = try BufferPool(bufferSize: 32 << 10, count: 48)
    self.network = network
  }

  func run(jobs: Int) throws {
    let tap = network == .wire ? try WireTap() : nil
    let workers = (0..<jobs).map { _ in Background { self.work() } }
    for worker in workers { try worker.value() }
    let seen = try tap?.end()
    let (state, statistics) = (state.withLock { $0 }, pool.statistics)
    let ends = Ending.allCases.map { "\($0.rawValue) \(state.ends[$0] ?? 0)" }.joined(separator: ", ")
    say(
      "soak: \(state.ends.values.reduce(0, +)) abrupt ends over \(network.rawValue)"
        + "\(Lane.isLate ? ", late" : "") (\(ends); \(state.datagrams) of datagram sockets):"
        + " \(state.bytes >> 10) KiB checked at the receivers"
        + (seen.map {
          ", \($0.bytes >> 10) KiB in \($0.packets) packets on the wire, \($0.ipv6Bytes >> 10) KiB of them IPv6"
        } ?? "") + "; \(statistics.quarantined) buffers quarantined, \(statistics.lost) lost")
    if let trouble = state.trouble ?? seen?.fault.map({ "CORRUPTION on the wire: \($0)" }) {
      throw Trouble(trouble)
    }
    guard statistics.free == statistics.count else { throw Trouble("buffers are missing: \(statistics)") }
    if let seen { try checkProof(state, seen, statistics) }
    say("soak: 0 corrupted bytes")
  }

  /// Nothing wrong was seen: was everything seen, and was there anything to see?
  private func checkProof(_ state: State, _ seen: WireTap.Seen, _ statistics: BufferPool.Statistics) throws {
    // What a receiver has got has passed the wire.
    guard seen.ipv4Bytes >= state.ipv4Bytes, seen.ipv6Bytes >= state.ipv6Bytes else {
      throw Trouble(
        "receivers got \(state.ipv4Bytes) bytes by IPv4 and \(state.ipv6Bytes) by IPv6, and the wire \(seen)")
    }
    // Few ends may all be of one kind.
    let areMany = state.ends.values.reduce(0, +) >= 50
    if areMany, state.ipv4Bytes == 0 || state.ipv6Bytes == 0 { throw Trouble("nothing came by IPv4 or IPv6") }
    if areMany, Lane.isLate, statistics.quarantined == 0 {
      throw Trouble("nothing was held back on a late wire: no buffer is in quarantine")
    }
  }

  private func work() {
    while true {
      let seed: UInt64? = state.withLock { state in
        guard state.left > 0, state.trouble == nil else { return nil }
        state.left -= 1
        state.nextSeed += 1
        return state.nextSeed
      }
      guard let seed else { return }
      do {
        var random = SeededGenerator(seed: seed)
        let ending = Ending.allCases.randomElement(using: &random)!
        let isDatagram = [.abort, .drop].contains(ending) && Int.random(in: 0..<4, using: &random) == 0
        let family = !isDatagram && Int.random(in: 0..<4, using: &random) == 0 ? Family.ipv6 : .ipv4
        let bytes = isDatagram ? try datagrams(ending, &random) : try stream(ending, family, &random)
        state.withLock {
          $0.ends[ending, default: 0] += 1
          $0.datagrams += isDatagram ? 1 : 0
          $0.add(bytes, family)
        }
      } catch {
        state.withLock { $0.trouble = $0.trouble ?? "seed \(seed): \(error)" }
      }
    }
  }

  /// How many buffers to send at most. A late wire lets half a megabyte a second through, for all.
  private func volume(_ random: inout SeededGenerator) -> Int {
    Int.random(in: 1...(Lane.isLate ? 3 : 12), using: &random)
  }

  /// - Returns: How many bytes the receiver has checked.
  private func stream(
    _ ending: Ending, _ family: Family, _ random: inout SeededGenerator
  ) throws -> Int {
    // A late wire is late with handshakes, too.
    let configuration = Configuration(
      connectTimeout: .seconds(100), writeTimeout: .milliseconds(20), readTimeout: .seconds(120))
    let pair =
      network == .wire
      ? try Connected.onWire(family, client: configuration, server: configuration)
      : try Connected(family, client: configuration, server: configuration)
    // A peer that takes little, and begins late: much is in flight at the end.
    let isStalled = Bool.random(using: &random)
    if isStalled { pair.server.setOption(SOL_SOCKET, SO_RCVBUF, 16 << 10) }
    let ends = pair.split()
    let hasEnded = Flag()
    let cut = [.reset, .peerCloses].contains(ending) ? Int.random(in: 0..<100_000, using: &random) : nil
    let receiving = Background { [ending] in
      var socket = ends.server.take()
      if isStalled { for _ in 0..<(cut == nil ? 1000 : 20) where !hasEnded.isRaised { usleep(1000) } }
      if let cut {
        let begin = try socket.read(count: cut)
        if ending == .reset { socket.resetOnClose() }
        return (begin.count, begin.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) }, false)
      }
      return try socket.readPatternUntilCut()
    }
    defer { hasEnded.raise() }
    let accepted = try send(ending, ends.client.take(), &random)
    pool.scribbleOverAllFree()
    hasEnded.raise()
    let (byteCount, wrongAt, isWhole) = try receiving.value()
    pool.scribbleOverAllFree()
    if let wrongAt { throw Trouble("CORRUPTION at byte \(wrongAt) of \(byteCount) after \(ending.rawValue)") }
    if ending == .drop, !isWhole || byteCount < accepted {
      throw Trouble(
        "\(accepted) bytes were accepted of a socket that went out of scope, and \(byteCount) arrived")
    }
    return byteCount
  }

  /// Sends some, and ends.
  private func send(
    _ ending: Ending, _ socket: consuming ZeroCopySocket, _ random: inout SeededGenerator
  ) throws -> Int {
    var socket = socket
    var offset = 0
    do throws(ZeroCopyError) {
      for _ in 0..<volume(&random) {
        guard var buffer = pool.take() else { break }
        let size = Int.random(in: 1...buffer.capacity, using: &random)
        buffer.scribble()
        buffer.append(size, of: Pattern(), from: offset)
        offset += size
        if Bool.random(using: &random) {
          try socket.send(buffer, mode: .zeroCopy)
        } else if !(try socket.trySend(buffer, mode: .zeroCopy).isNone) {
          break
        }
      }
      switch ending {
      case .abort: socket.abort()
      case .drop: break
      case .reset, .peerCloses: try socket.close(timeout: .seconds(60))
      case .timeOut:
        try socket.close(timeout: .milliseconds(1))
      }
    } catch {
      // A time-out of a send, too: what was accepted is on its way, and the rest of the plan is to end.
      guard [.connectionLost, .timedOut].contains(error.code) else { throw error }
      if ending == .timeOut, Bool.random(using: &random) { socket.abort() }
    }
    return socket.statistics.bytes
  }

  private func datagrams(_ ending: Ending, _ random: inout SeededGenerator) throws -> Int {
    let made = Handoff<Inbox>()
    if network == .wire {
      try Lane.atOtherEnd { made.put(try Inbox("10.77.0.2", Pattern())) }
    } else {
      made.put(try Inbox("127.0.0.1", Pattern()))
    }
    let inbox = made.take()
    let endpoint = inbox.endpoint
    let handed = Handoff(inbox)
    let isDone = Flag()
    let receiving = Background { try handed.take().receive(until: isDone) }
    defer { isDone.raise() }
    do {
      var socket = try ZeroCopySocket.connect(to: endpoint)
      var offset = Int.random(in: 0..<1 << 20, using: &random)
      for _ in 0..<volume(&random) {
        guard var buffer = pool.take() else { break }
        let size = Int.random(in: 1...(buffer.capacity - 8), using: &random)
        buffer.scribble()
        withUnsafeBytes(of: UInt64(offset)) { head in _ = buffer.append(contentsOf: head) }
        buffer.append(size, of: Pattern(), from: offset)
        offset += size
        _ = try socket.trySend(buffer, mode: .zeroCopy)
      }
      if ending == .abort { socket.abort() }
    }
    pool.scribbleOverAllFree()
    isDone.raise()
    return try receiving.value()
  }
}
