internal import CZeroCopy
internal import SystemPackage

/// The state behind a `ZeroCopySocket`, and the steps that change it.
///
/// A step never waits by itself; `Connection+Waiting.swift` is where waiting is. A value without a
/// `deinit` of its own, so that the socket's `deinit` can take it out and end it in order.
struct Connection: ~Copyable, Sendable {
  let descriptor: Descriptor
  /// The descriptor's number, valid until `isClosed`.
  let number: CInt
  let facts: czc_socket_facts
  let configuration: Configuration
  var policy: CostPolicy
  /// What `Configuration.experience` knows this path by.
  let path: String

  var availability: Availability
  var segments: Segments
  /// What is in flight, and what releases it.
  var account: Account<SendRecord>
  var statistics = Statistics()

  /// What the sends of the call under way keep.
  var lending = Lending()

  /// CZC_SEND_MORE where the rest of a write follows the send under way, else 0.
  var moreFlag: CInt = 0

  /// What is left of a buffer of which a part was accepted.
  var tail: Tail?

  /// Confirmed since the last flush.
  var tally = FlushResult()
  /// Sends of the caller's own memory that were in flight when the socket ended.
  var inFlightForEver = 0
  /// What the sends in flight count in the budget.
  var budgetedBytes = 0
  /// What TCP may have joined with the newest send, and has refused after all: the number behind that one, and how many
  /// bytes they are together at least.
  var joined = (before: UInt64(0), byteCount: 0)
  /// Of the ids reported since a send was last released: all, and those that the kernel has copied.
  var reportedIDs = (all: 0, copied: 0)
  /// Zero-copy sends since the error queue was last read.
  var sendsSinceReap = 0
  /// Whether this kernel's block size was asked for.
  var hasAskedBlockSize = false
  /// How long to wait, in nanoseconds, before the next look at what ids do not say.
  var lookDelay = Connection.leastLookDelay
  /// How many sends `.automatic` copies before it tries again what a limit has refused.
  var copiesDue = 0

  /// How fast the peer is while we wait for it.
  var rate = RateWatch()

  /// The epoll descriptor, opened by the first wait; -1 before.
  var waiter: CInt = -1
  var waiterWantsWritable = false

  var isClosed = false
  var isPurged = false
  /// Somebody else has shut the socket down by its descriptor.
  var wasShutDownElsewhere = false
  /// Which shutdowns a call has thrown already.
  var toldShutDowns = ToldShutDowns()
  /// The connection's end, and whether a call has thrown it yet.
  let fate = Fate()
  /// Who hears of it, if anybody.
  var telling: Telling?
  /// At how many sends one that is copied looks around first.
  var sendsToLook = Int.max
  var isLossTold = false

  var isDatagram: Bool { facts.type == CZC_DATAGRAM }

  /// Takes over a connected descriptor.
  /// - Parameter hasHistory: Whether somebody may have made zero-copy sends on it (rule 6).
  init(
    owning number: CInt, facts: czc_socket_facts, availability: Availability,
    configuration: Configuration, hasHistory: Bool
  ) {
    descriptor = Descriptor(number)
    self.number = number
    self.facts = facts
    self.configuration = configuration
    self.availability = availability
    let isDatagram = facts.type == CZC_DATAGRAM
    path = Self.path(number, facts)
    policy = CostPolicy(isDatagram: isDatagram, learnt: configuration.experience.table(of: path))
    segments = Segments(of: number, facts)
    account = Account(
      hasHistory: hasHistory, countsIDs: facts.family == CZC_FAMILY_VSOCK,
      optionMemoryAtRest: czc_option_memory(number))
    if hasHistory { descriptor.lend() }
    if let observer = configuration.observer {
      // C writes at most the buffer that it is given.
      let peer = unsafe describe { unsafe czc_peer_address_text(number, $0, $1) }
      telling = Telling(observer: observer, peer: peer)
    }
    planLook()
    defer { telling?.observer.opened(self.availability, peer: telling?.peer ?? "") }
    guard hasHistory else { return }
    checkEarlierSends()
    // An earlier owner may have ended our side; what follows is no loss then.
    if facts.is_tcp, czc_tcp_we_have_ended(number) == 1 { fate.setFinishedWriting(true) }
  }

  /// What is kept for one send: how much it pins, and whether it counts as a send. A datagram that
  /// failed and took an id all the same (rule 2) does not.
  struct SendRecord: ~Copyable, Sendable, AccountedSend {
    var bytes: Int
    /// Bytes that the socket had accepted before it.
    let start: Int
    var isSend = true
    let keeping: Keeping
    var budget: BudgetShare?

    var streamEnd: UInt64 { UInt64(start + bytes) }
    var canBeGivenUp: Bool { !keeping.isCallersMemory }

    /// What it counts in the budget.
    var cost: Int {
      switch budget {
      case .some(let share): share.cost
      case .none: 0
      }
    }

    /// From its cost: how many bytes were offered to the kernel.
    var leastByteCount: Int { max(0, cost - SendBudget.cost(ofSend: 0)) }

    /// From now on this one has what another has of the budget, too.
    mutating func takeShare(of other: inout SendRecord) {
      guard var share = other.budget.take() else { return }
      if var own = budget.take() { share.join(&own) }
      budget = consume share
    }

    consuming func giveUp() -> Keeping.GivenUp { keeping.giveUp() }
  }

  struct ToldShutDowns: Equatable {
    var byHandle = false
    var byOthers = false
  }

  /// Throws what a call on a socket in this state has to throw.
  // Inlined, because borrowing the whole value for a call copies it.
  @inline(__always)
  func checkOpen() throws(ZeroCopyError) {
    if isClosed { throw .closed }
  }

  /// Rule 6: no call reads the counter, so that an adopted socket starts zero copy only at rest. What is
  /// on the queue belongs to the earlier owner and is dropped.
  mutating func checkEarlierSends() {
    guard availability.isAvailable || availability == .unavailable(.earlierSends) else { return }
    var reaped = czc_reaped()
    repeat {
      var notification = czc_notification()
      // C writes at most one notification and keeps no pointer.
      guard unsafe czc_read_notifications(number, &notification, 1, &reaped) == 0 else { break }
    } while reaped.messages > 0
    let used = czc_option_memory(number)
    let isAtRest = account.isProvenRest(used, wasLent: true)
    if isAtRest { account.noteBeforeFirstSend(optionMemory: used, wasLent: true) }
    availability = isAtRest ? .available : .unavailable(.earlierSends)
  }

  /// Takes what was confirmed since the last flush.
  mutating func takeTally() -> FlushResult {
    var result = tally
    result.remaining = account.inFlight.count
    tally = FlushResult()
    return result
  }

  /// close(2), with whatever is in flight: for callers who know that it may be.
  mutating func tearDown() {
    guard !isClosed else { return }
    endUse()
    descriptor.close()
    tail = nil
    giveUpRest()
    tellEnd()
  }

  /// After close() no notification ever comes, and the kernel goes on reading (rule 24): what we keep for sends
  /// that were in flight then is never used again, and their pages are replaced (rule 26).
  private mutating func giveUpRest() {
    var givenUp = GivenUp()
    account.takeOut { givenUp.add($0) }
    inFlightForEver = givenUp.callers
    statistics.bytesInFlight -= givenUp.bytes
    note(givenUp)
  }

  /// What became of sends that the kernel may go on reading.
  struct GivenUp {
    var quarantined = 0
    var leaked = 0
    var callers = 0
    /// But for the caller's own memory.
    var bytes = 0
    var cost = 0

    mutating func add(_ record: consuming SendRecord) {
      bytes += record.keeping.isCallersMemory ? 0 : record.bytes
      cost += record.cost
      switch record.giveUp() {
      case .callersMemory: callers += 1
      case .quarantined: quarantined += 1
      case .leaked: leaked += 1
      }
    }
  }

  mutating func note(_ givenUp: GivenUp) {
    statistics.quarantined += givenUp.quarantined
    statistics.leaked += givenUp.leaked
  }

  /// Every call throws `.closed` from now on; what becomes of the descriptor is the caller's business.
  mutating func endUse() {
    isClosed = true
    if waiter >= 0 { _ = czc_close(waiter) }
    waiter = -1
  }

  /// The end of a socket that nobody closed. What is in flight is delivered still, where all of it is kept by
  /// us. Memory that the caller may reuse at any time is not: the connection is purged rather than left to send
  /// what comes after (rule 24).
  mutating func abandon() {
    guard !isClosed else { return }
    do throws(ZeroCopyError) { try sendTailIfPossible() } catch {}
    if account.inFlight.count > 0 { collect() }
    // Nor does a stream end in order in the middle of a buffer.
    if hasTail || account.inFlight.contains({ $0.keeping.isCallersMemory }) { purge() }
    tearDown()
  }

  /// Empties TCP's queues, so that ids come soon (rule 25). Others have nothing like it.
  mutating func purge() {
    guard facts.is_tcp || facts.is_mptcp else { return }
    isPurged = true
    // A reader on another thread learns why its stream ended.
    fate.record(.connectionAbort)
    if czc_abort(number) == 0 { return }
    // Some kernels refuse while another thread waits in recv: a shutdown wakes it.
    _ = czc_shutdown(number, CInt(CZC_SHUT_BOTH))
    _ = czc_abort(number)
  }

  /// What reading needs of this socket, or of a duplicate of it.
  func readSide(_ number: CInt) -> ReadSide {
    ReadSide(
      number: number, facts: facts, timeout: configuration.readTimeout, fate: fate, socket: descriptor)
  }
}
