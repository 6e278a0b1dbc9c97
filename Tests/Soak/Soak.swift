import ArgumentParser
import Glibc
import Synchronization
import TestSupport

@main
struct Soak: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "soak",
    abstract: "Random sends whose memory is scribbled over the moment it is released; every byte is checked.",
    discussion: "Runs over loopback, and where 'zerocopy lane' has started it over the lane's wire.")

  @ArgumentParser.Option(help: "How long to go on starting sessions.")
  var seconds = 60

  @ArgumentParser.Option(help: "What the random plans come from. (default: a new one)")
  var seed: UInt64?

  @ArgumentParser.Option(help: "How many sessions at once.")
  var jobs = 3

  @ArgumentParser.Flag(help: "Run the session of this seed alone, once.")
  var once = false

  @ArgumentParser.Flag(
    help: "Instead: so many buffers (--count) through one pool of 32, over 8 sockets and 4 threads.")
  var pool = false

  @ArgumentParser.Flag(help: "Instead: so many sockets (--count) that end in the middle of pooled sends.")
  var abrupt = false

  @ArgumentParser.Option(help: "How many buffers, or ends.")
  var count = 10_000

  func run() throws {
    let seed = seed ?? UInt64.random(in: 1..<1 << 40)
    let network: Plan.Network = Lane.here == .wire ? .wire : .loopback
    if pool || abrupt { return try runCounted(seed, network) }
    say(
      "soak: seed \(seed), \(once ? "one session" : "\(seconds) seconds") over \(network.rawValue)\(Lane.isLate ? ", late" : "")"
    )
    let shared = Shared(firstSeed: seed)
    if once {
      say("\(Plan(seed: seed, network: network, isLate: Lane.isLate))")
      shared.work(network, until: nil)
    } else {
      let end = ContinuousClock.now + .seconds(seconds)
      let workers = (0..<jobs).map { _ in Background { shared.work(network, until: end) } }
      // Every wait in a session is bounded by 90 seconds; a few may follow each other.
      while !workers.allSatisfy(\.isDone) {
        usleep(100_000)
        guard ContinuousClock.now < end + .seconds(300) else {
          say("HANG: \(shared.running)")
          _exit(2)
        }
      }
    }
    say("soak: \(shared.tally)")
    if let trouble = shared.trouble {
      say("soak: TROUBLE\n\(trouble)")
      throw ExitCode.failure
    }
  }
}

extension Soak {
  private func runCounted(_ seed: UInt64, _ network: Plan.Network) throws {
    say("soak: seed \(seed), \(count) \(pool ? "buffers" : "abrupt ends") over \(network.rawValue)")
    do {
      if pool {
        try PoolSoak(count: count, seed: seed).run()
      } else {
        try AbruptEnds(count: count, seed: seed, network: network).run(jobs: jobs)
      }
    } catch {
      say("soak: TROUBLE\n\(error)")
      throw ExitCode.failure
    }
  }
}

/// What the workers share.
private final class Shared: Sendable {
  private struct State {
    var nextSeed: UInt64
    var tally = Tally()
    var trouble: String?
    var running: Set<UInt64> = []
  }

  private let state: Mutex<State>

  init(firstSeed: UInt64) { state = Mutex(State(nextSeed: firstSeed)) }

  var tally: Tally { state.withLock { $0.tally } }
  var trouble: String? { state.withLock { $0.trouble } }
  var running: Set<UInt64> { state.withLock { $0.running } }

  /// Session after session, until the time is up or one of them has found something. `nil` for a single one.
  func work(_ network: Plan.Network, until end: ContinuousClock.Instant?) {
    repeat {
      let seed = state.withLock { state in
        defer { state.nextSeed += 1 }
        state.running.insert(state.nextSeed)
        return state.nextSeed
      }
      let plan = Plan(seed: seed, network: network, isLate: Lane.isLate)
      do {
        let tally = try Session(plan: plan).run()
        state.withLock { $0.tally += tally }
      } catch {
        let again = "again: soak --once --seed \(seed)"
        state.withLock { $0.trouble = $0.trouble ?? "\(plan)\n\(error)\n\(again)" }
      }
      state.withLock { _ = $0.running.remove(seed) }
    } while trouble == nil && end.map { ContinuousClock.now < $0 } == true
  }
}

func say(_ text: String) {
  print(text)
  fflush(nil)
}
