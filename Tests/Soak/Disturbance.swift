import Glibc
import SystemPackage
import TestSupport
import ZeroCopy

/// A second owner of the sender's descriptor, who does between its sends what he is free to do: all of it may take
/// away what the library knows of ids and of option memory, and none of it may release memory in flight.
struct Disturbance: ~Copyable {
  enum Kind: String, CaseIterable {
    /// Charges to the option memory come, grow less and go (rule 33).
    case charges
    /// SO_ZEROCOPY is off for a few sends: they take no id (rule 32).
    case optionOff
    /// A few sends go through a map of BPF: each takes several ids (rule 34).
    case sockmap

    /// One, or several: those that take away ids hide those that add some.
    static func drawn(isDatagram: Bool, using random: inout SeededGenerator) -> [Kind] {
      let all = allCases.filter { $0 != .sockmap || !isDatagram }
      let isSeveral = Int.random(in: 0..<5, using: &random) < 2
      return Array(
        all.shuffled(using: &random).prefix(isSeveral ? Int.random(in: 2...all.count, using: &random) : 1))
    }
  }

  private enum Amount { case full, less }

  private let kinds: [Kind]
  /// Those that the socket takes.
  private let charges: [OptionCharge]
  /// Those that it had before anything was sent: with them it counts as being at rest.
  private let first: [OptionCharge]
  private var random: SeededGenerator
  private var amounts: [OptionCharge: Amount] = [:]
  /// Option memory when nothing was sent yet.
  private let atBeginning: Int
  /// For how many sends more SO_ZEROCOPY is off, and the socket in the map.
  private var sendsOff = 0, sendsInMap = 0
  private let map: Sockmap?

  /// - Parameter socket: Before its first send.
  /// - Returns: `nil` where the plan has none.
  static func begin(_ plan: Plan, on socket: borrowing ZeroCopySocket) -> Disturbance? {
    plan.disturbance.map { Disturbance($0, plan, socket) }
  }

  private init(_ kinds: [Kind], _ plan: Plan, _ socket: borrowing ZeroCopySocket) {
    self.kinds = kinds
    random = SeededGenerator(seed: plan.seed &+ 3)
    let most = Int.random(in: 3...6, using: &random)
    var drawn = Array(
      OptionCharge.allCases.filter { $0.applies(to: plan.socketFamily, isStream: !plan.isDatagram) }
        .shuffled(using: &random).prefix(most))
    // Either takes the place of the other.
    if drawn.contains(.filter) { drawn.removeAll { $0 == .program } }
    charges = kinds.contains(.charges) ? drawn : []
    map = kinds.contains(.sockmap) ? try? Sockmap(.passing) : nil
    if Int.random(in: 0..<4, using: &random) > 0 {
      first = charges.filter { $0.set(on: socket.fileDescriptor.rawValue) }
    } else {
      first = []
    }
    for charge in first { amounts[charge] = .full }
    atBeginning = socket.optionMemory
  }

  /// Between two sends: ends what was for a few sends, and perhaps does something.
  mutating func act(on socket: inout ZeroCopySocket) throws {
    guard socket.nextSend > 0 else { return }
    if sendsOff > 0 {
      sendsOff -= 1
      if sendsOff == 0 { socket.setOption(SOL_SOCKET, Option.zeroCopy, 1) }
    }
    if sendsInMap > 0 {
      sendsInMap -= 1
      if sendsInMap == 0 { map?.takeOut() }
    }
    guard Int.random(in: 0..<3, using: &random) == 0 else { return }
    switch kinds.randomElement(using: &random)! {
    case .charges: try charge(&socket)
    case .optionOff:
      // Not for long: a socket that sees it copies from then on.
      sendsOff = Int.random(in: 0..<4, using: &random) == 0 ? 3 : 1
      socket.setOption(SOL_SOCKET, Option.zeroCopy, 0)
    case .sockmap:
      guard (try? map?.put(socket.fileDescriptor.rawValue)) != nil else { return }
      sendsInMap = Int.random(in: 1...3, using: &random)
    }
  }

  /// Undoes everything, for a wait that may need it: memory of the caller's whose ids are lost is held for as long as
  /// something else takes as much option memory as a notification.
  mutating func calm(_ socket: borrowing ZeroCopySocket) {
    for charge in amounts.keys { _ = charge.remove(on: socket.fileDescriptor.rawValue) }
    amounts = [:]
    if sendsOff > 0 { socket.setOption(SOL_SOCKET, Option.zeroCopy, 1) }
    if sendsInMap > 0 { map?.takeOut() }
    (sendsOff, sendsInMap) = (0, 0)
  }

  private mutating func charge(_ socket: inout ZeroCopySocket) throws {
    guard let charge = charges.randomElement(using: &random) else { return }
    let number = socket.fileDescriptor.rawValue
    switch Int.random(in: 0..<8, using: &random) {
    case 0..<3:
      conceal(socket)
      // Before a notification changes that.
      try socket.reap()
    case 3: if charge.set(on: number) { amounts[charge] = .full }
    case 4: if charge.change(on: number) { amounts[charge] = .less }
    case 5: shrink(charge, number)
    default:
      if charge.remove(on: number) { amounts[charge] = nil }
    }
  }

  /// Takes away as much as the notifications in flight take, if it can: the socket then looks as in the beginning.
  private mutating func conceal(_ socket: borrowing ZeroCopySocket) {
    let number = socket.fileDescriptor.rawValue
    for charge in charges where !first.contains(charge) && charge.remove(on: number) { amounts[charge] = nil }
    for charge in first where amounts[charge] != .full && charge.set(on: number) { amounts[charge] = .full }
    let more = socket.optionMemory - atBeginning
    guard let blockSize = NotificationBlock.byteCount, more > 0, more % blockSize == 0 else { return }
    var blocks = more / blockSize
    for charge in first where blocks > 0 && shrink(charge, number) { blocks -= 1 }
  }

  /// Makes a charge less by what exactly one notification takes.
  @discardableResult
  private mutating func shrink(_ charge: OptionCharge, _ number: CInt) -> Bool {
    guard amounts[charge] == .full, let blockSize = NotificationBlock.byteCount,
      charge.shrink(on: number, by: blockSize)
    else { return false }
    amounts[charge] = .less
    return true
  }
}

extension Disturbance {
  /// Waits: for a moment with whatever disturbs in its place, and then without it.
  static func patiently(
    _ disturbance: inout Disturbance?, _ socket: inout ZeroCopySocket,
    _ wait: (inout ZeroCopySocket, Duration) throws(ZeroCopyError) -> Void
  ) throws(ZeroCopyError) {
    if disturbance != nil {
      do throws(ZeroCopyError) {
        return try wait(&socket, .milliseconds(200))
      } catch {
        guard error.code == .timedOut else { throw error }
      }
      disturbance?.calm(socket)
    }
    try wait(&socket, .seconds(60))
  }
}
