import Glibc
import SystemPackage
import TestSupport
import ZeroCopy

/// What one session does, drawn from its seed: the same seed gives the same plan.
struct Plan: Sendable, CustomStringConvertible {
  enum Network: String, CaseIterable { case loopback, wire }
  enum Reading: String, CaseIterable { case steady, stalling, trickling, resetting, closing, halfClosing }
  enum Ending: String, CaseIterable { case close, flush, abort, drop, relinquish }

  let seed: UInt64
  let network: Network
  let family: Family
  private(set) var isDatagram: Bool
  private(set) var reading: Reading
  let ending: Ending
  private(set) var mode: WriteMode
  let isProtected, isNonblocking, isAdopted: Bool
  private(set) var failsDatagrams: Bool
  /// SO_TIMESTAMPING, whose messages come on the same queue; 0 for none.
  private(set) var timestamps: CInt
  let faults: Faultiness?
  /// What a second owner of the descriptor does meanwhile.
  private(set) var disturbance: [Disturbance.Kind]?
  private(set) var slotCount, slotSize: Int
  /// How many bytes to send in all.
  private(set) var volume: Int
  let pattern: Pattern

  init(seed: UInt64, network: Network, isLate: Bool) {
    var random = SeededGenerator(seed: seed)
    func chance(_ odds: Double) -> Bool { Double.random(in: 0..<1, using: &random) < odds }
    self.seed = seed
    self.network = network
    family = chance(0.5) ? .ipv4 : .ipv6
    isDatagram = chance(0.2)
    reading = chance(0.4) ? .steady : Reading.allCases.randomElement(using: &random)!
    ending = chance(0.5) ? .close : Ending.allCases.randomElement(using: &random)!
    mode = chance(0.6) ? .zeroCopy : .automatic
    isProtected = chance(0.25)
    isNonblocking = chance(0.3)
    isAdopted = chance(0.25)
    // For what is sent and acknowledged, numbered; in half of the cases without the data, of which the kernel
    // else makes copies.
    timestamps = chance(0.25) ? 1 << 1 | 1 << 4 | 1 << 7 | 1 << 9 | (chance(0.5) ? 1 << 11 : 0) : 0
    failsDatagrams = chance(0.5)
    faults = chance(0.5) ? nil : Faultiness.allCases.randomElement(using: &random)!
    slotCount = Int.random(in: 1...24, using: &random)
    slotSize = isDatagram ? 65_536 : [4096, 65_536, 262_144, 1 << 20].randomElement(using: &random)!
    // A late wire lets half a megabyte a second through, for all sessions together.
    let most = isLate ? 18.0 : 25.0
    let drawn = Int(exp2(Double.random(in: 12...most, using: &random)))
    // What the rig holds back wakes nobody, and each wait for it lasts until the library looks again, some
    // milliseconds later: a thousand sends of small buffers have shown what a hundred thousand would.
    // The same of a session of small buffers that takes half a minute.
    volume = min(drawn, slotSize * (faults == .notifications ? 128 : 1024))
    pattern = Pattern(phase: Int.random(in: 0..<1 << 20, using: &random))
    guard chance(0.35) else { return }
    // An early release shows where much is in flight and waits: slow readers, many buffers, much in each; and of
    // datagrams those that fail, whose ids overtake the others'.
    isDatagram = isDatagram || chance(0.25)
    disturbance = Disturbance.Kind.drawn(isDatagram: isDatagram, using: &random)
    // A map takes no connection that the peer has half closed.
    if reading == .steady || (isInMap && reading == .halfClosing) {
      reading = chance(0.5) ? .stalling : .trickling
    }
    // Sends of this size the other mode mostly copies.
    if chance(0.8) { mode = .zeroCopy }
    failsDatagrams = true
    // With the data, they keep TCP from repeating what is lost for as long as nobody reads them, and with a slow reader
    // something is.
    if timestamps != 0 { timestamps |= 1 << 11 }
    slotCount = max(isInMap ? 16 : 8, slotCount)
    slotSize = isInMap ? 65_536 : max(65_536, slotSize)
    volume = max(isLate ? 1 << 17 : 1 << 23, volume)
  }

  /// Whether the stream may end before all is read.
  var mayBeCut: Bool { [.abort, .drop].contains(ending) || [.resetting, .closing].contains(reading) }

  /// Whether ids may be reported that we do not expect: where a second owner makes them, where they are made up, or
  /// where the notification that an adopted socket learns its counter from is repeated, which looks as if somebody else
  /// had sent.
  private var mayLoseTrack: Bool {
    disturbance != nil || faults == .lostNotifications || (isAdopted && faults == .notifications)
  }

  /// Whether zero copy may become unavailable. Of datagrams also because a repeated notification that is held back takes
  /// as much as another's.
  var mayBecomeUnavailable: Bool { mayLoseTrack || (isDatagram && faults == .notifications) }

  /// How much to send at most once zero copy is unavailable: copies show nothing.
  var volumeOfCopies: Int { 4 * slotSize }

  /// Short where a send may wait for what comes only when a disturbance is undone.
  var writeTimeout: Duration { disturbance == nil ? .seconds(60) : .milliseconds(300) }

  /// After how many reads of a stream there is a pause, on average; `nil` for none.
  var readsPerStall: Int? { disturbance != nil ? 5 : reading == .stalling ? 20 : nil }

  /// Of a send on a stream, in bytes.
  var sizes: ClosedRange<Int> { (disturbance == nil ? 1 : slotSize / (isInMap ? 2 : 16))...slotSize }

  /// A map cuts most of what is sent then in two, so that there are a few ids too many, and many sends in flight that
  /// they are believed to be of.
  private var isInMap: Bool { disturbance?.contains(.sockmap) == true }

  /// Small where many are to be in flight, in bytes.
  var datagramSizes: ClosedRange<Int> { 9...(disturbance == nil ? 60_000 : 16_000) }

  /// Datagrams go over one family only.
  var socketFamily: Family { isDatagram ? .ipv4 : family }

  var description: String {
    let flags = [
      (isDatagram, "datagrams"), (isProtected, "PROT_NONE"), (isNonblocking, "non-blocking"),
      (isAdopted, "adopted"), (timestamps != 0, "timestamps"),
      (isDatagram && failsDatagrams, "failing sends"),
    ].filter(\.0).map { ", " + $0.1 }.joined()
    return "seed \(seed): \(network.rawValue) \(family.rawValue), \(mode), \(reading.rawValue) reader,"
      + " \(ending.rawValue) at the end, \(slotCount) buffers of \(slotSize), \(volume) bytes\(flags)"
      + (faults.map { ", faults: \($0.rawValue)" } ?? "")
      + (disturbance.map { ", disturbed by \($0.map(\.rawValue).joined(separator: " and "))" } ?? "")
  }
}

extension Plan {
  /// An id that was never given out is one that was counted wrong: a buffer has been released a send early.
  func checkIDs(_ statistics: Statistics) throws {
    guard statistics.unknownNotifications == 0 || mayLoseTrack else {
      throw Trouble("ids were reported that were not expected: \(statistics)")
    }
  }

  /// The sending socket in the state that the plan begins with.
  func prepared(_ socket: consuming ZeroCopySocket) throws -> ZeroCopySocket {
    var socket = socket
    if isAdopted {
      let configuration = Configuration(writeTimeout: writeTimeout)
      let descriptor = try socket.relinquish()
      socket = try ZeroCopySocket(adopting: descriptor, configuration: configuration)
    }
    if timestamps != 0 { socket.setOption(SOL_SOCKET, Option.timestamping, timestamps) }
    if isNonblocking { socket.setBlocking(false) }
    try faults?.begin(on: socket, self)
    return socket
  }
}
