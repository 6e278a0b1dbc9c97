import ZeroCopy

/// An account beside a kernel that is known to the last block: every event is told to both, and answers where the
/// account has released memory that the kernel still reads, or holds what is free, in words. Shared with the fuzzer.
///
/// It does with an account what a connection does. Some coincidences are left out, because no reading tells of them: a
/// stream whose acknowledged sends are late and whose ids others have taken; and a datagram socket of which others take
/// ids, while sends of ours that are accepted take none, or others read the queue, or change what was there at rest.
struct AccountModel: ~Copyable {
  enum Kind: Int, CaseIterable { case stream, datagram, counted }

  /// What may happen to a socket in its life.
  struct Fate {
    var kind = Kind.stream
    /// Others have the descriptor: they set what takes option memory, read the queue, switch SO_ZEROCOPY.
    var isLent = false
    /// Sends take several ids, or others send: the kernel's counter is ahead of our numbers.
    var takesMore = false
    /// Sends take no id.
    var takesNone = false
    /// Notifications are lost.
    var losesIDs = false
    var isAdopted = false
    /// What is sent cannot be given up.
    var isBorrowed = false
    var firstID: UInt32 = 0
    var otherMemory = 0

    /// Whether ids are all there is to know, and each has to release its send.
    var isClean: Bool { !takesMore && !takesNone && !losesIDs }
  }

  struct Kept: ~Copyable, AccountedSend {
    let number: Int
    var streamEnd: UInt64
    let canBeGivenUp: Bool
  }

  private let fate: Fate
  private var kernel: SimulatedKernel
  private var account: Account<Kept>
  private var now: UInt64 = 0
  /// Every send that there ever was has a number of its own here, whatever the account has made of its own.
  private var sends = 0
  /// Bytes of ours.
  private var sent = 0
  private var problem: String?
  /// The socket copies from now on.
  private(set) var hasEnded = false
  private(set) var releasedCount = 0
  private(set) var givenUpCount = 0
  private(set) var settledCount = 0

  init(_ fate: Fate) {
    self.fate = fate
    kernel = SimulatedKernel(
      nextID: fate.isAdopted ? fate.firstID : 0, otherMemory: Int64(fate.otherMemory))
    account = Account(
      hasHistory: fate.isAdopted, countsIDs: fate.kind == .counted,
      optionMemoryAtRest: Int64(fate.otherMemory))
    account.blockSize = kernel.blockSize
  }

  var inFlightCount: Int { account.inFlight.count }
  var unreadCount: Int { kernel.queue.count }
  var blockCount: Int { kernel.blockCount }
  private var isLent: Bool { fate.isLent || fate.isAdopted }

  // MARK: Events

  /// - Parameters:
  ///   - byteCount: How many bytes are accepted.
  ///   - ids: How many ids it takes.
  mutating func send(_ byteCount: Int, ids: Int) -> String? {
    guard maySend else { return nil }
    let number = reserve(byteCount)
    sent += byteCount
    kernel.write(byteCount)
    // What takes none was copied; of what takes several the kernel reads a copy.
    let isCopied = fate.kind != .counted && ids != 1
    kernel.send(isCopied ? .another : .ours(number), ids: kernel.isOptionOn ? ids : 0)
    return problem
  }

  /// How a call fails.
  enum Refusal: Int, CaseIterable {
    /// Before a datagram was built: no id, and the error says so.
    case early
    /// The same, and the error does not say so.
    case quiet
    /// After it was built: its id is on the queue.
    case late
    /// After its first fragments have left: they wait (rule 37).
    case fragments
  }

  mutating func refusedSend(_ refusal: Refusal) -> String? {
    guard maySend else { return nil }
    let number = reserve(0)
    guard fate.kind == .datagram, refusal != .early else {
      _ = account.takeBack()
      return problem
    }
    switch refusal {
    case .late: kernel.reportRefused()
    case .fragments: kernel.send(.ours(number), ids: 1)
    case .early, .quiet: break
    }
    let newest = account.inFlight.next - 1
    readAll()
    let isReported = account.isReported(newest)
    if !isReported, account.hasSurelyTakenNone(optionMemory: kernel.optionMemory) {
      _ = account.takeBack()
    } else {
      account.keepRefused(isReported: isReported, wasLent: isLent)
    }
    release()
    return problem
  }

  /// Another owner sends.
  mutating func foreignSend(_ byteCount: Int) {
    kernel.write(byteCount)
    kernel.send(.another, ids: kernel.isOptionOn ? 1 : 0)
  }

  mutating func acknowledge(_ byteCount: Int) {
    kernel.acknowledge(byteCount)
    // Late where others take no ids.
    if fate.takesMore { kernel.finishAcknowledged() }
  }

  mutating func finish(_ choice: Int) {
    guard blockCount > 0 else { return }
    let index = choice % blockCount
    if kernel.mayFinish(at: index, isStream: fate.kind == .stream) { kernel.finish(at: index) }
  }

  mutating func endConnection() {
    kernel.end()
    if fate.takesMore { kernel.finishAcknowledged() }
  }

  /// Others change what takes option memory.
  mutating func setOtherMemory(_ bytes: Int) {
    // What was there before zero copy began stays, where others send: else no reading tells.
    let least = fate.takesMore && fate.kind == .datagram ? fate.otherMemory : 0
    if isLent { kernel.otherMemory = Int64(max(least, bytes)) }
  }

  mutating func setBlockSize(_ bytes: Int) { kernel.blockSize = max(kernel.blockSize, Int64(bytes)) }

  mutating func switchOption() { if isLent, fate.takesNone { kernel.isOptionOn.toggle() } }

  mutating func steal() {
    if isLent, fate.losesIDs, !(fate.takesMore && fate.kind == .datagram) { kernel.steal() }
  }

  /// A notification of what was never sent. Of an account that has still to learn where the counter stands it would be
  /// the truth.
  mutating func invent(_ distance: UInt32) -> String? {
    if account.isLearning { return nil }
    report(SimulatedKernel.Message(first: kernel.nextID &+ distance, last: kernel.nextID &+ distance))
    return problem
  }

  /// Reads some of the queue.
  /// - Parameters:
  ///   - isTruncated: The last one is too long to be read.
  ///   - isRepeated: The last one comes again.
  mutating func read(_ count: Int, isTruncated: Bool = false, isRepeated: Bool = false) -> String? {
    for index in 0..<count {
      guard let message = kernel.read() else { break }
      let isLost = isTruncated && index == count - 1 && fate.losesIDs
      account.noteRead(messages: 1, truncated: isLost ? 1 : 0)
      if isLost { continue }
      report(message)
      if isRepeated { report(message) }
    }
    release()
    return problem ?? (kernel.queue.isEmpty ? difference() : nil)
  }

  mutating func count() -> String? {
    guard fate.kind == .counted else { return nil }
    readToEnd()
    account.count(optionMemory: kernel.optionMemory)
    release()
    return problem
  }

  /// Time passes, and the connection looks at what ids do not say.
  mutating func look(after nanoseconds: Int) -> String? {
    now += UInt64(nanoseconds)
    readToEnd()
    let reading = RestReading(
      at: now, optionMemory: kernel.optionMemory,
      isAcknowledged: fate.kind != .stream || kernel.unacknowledged == 0,
      isOptionOn: kernel.isOptionOn, wasLent: isLent)
    var released: [Int] = []
    var givenUp = 0
    let settlement = account.settle(reading) { kept, isOut in
      if isOut { givenUp += 1 } else { released.append(kept.number) }
    }
    note(released)
    givenUpCount += givenUp
    settledCount += released.count
    if settlement.consequence != .none { hasEnded = true }
    return problem
  }

  /// All is done and reported: nothing may be held for ever.
  mutating func end() -> String? {
    kernel.acknowledge(.max - kernel.acknowledged)
    while blockCount > 0 { kernel.finish(at: 0) }
    if let problem = read(.max) ?? count() { return problem }
    if fate.isClean, fate.kind != .counted, !account.isLearning, account.certainty != .mistrusted,
      account.certainty != .uncertain, inFlightCount > 0
    {
      return "\(inFlightCount) sends are held although every id is in"
    }
    // What cannot be given up has to be proven.
    if fate.isBorrowed { kernel.otherMemory = min(kernel.otherMemory, 511) }
    for _ in 0..<4 { if let problem = look(after: 1_500_000_000) { return problem } }
    return inFlightCount == 0 ? problem : "\(inFlightCount) sends are held for ever"
  }

  // MARK: What a connection does

  private var maySend: Bool {
    guard !hasEnded, !kernel.isOver else { return false }
    switch account.certainty {
    case .exact, .uncertain: return true
    case .learning: return inFlightCount == 0
    case .mistrusted: return false
    }
  }

  private mutating func reserve(_ byteCount: Int) -> Int {
    sends += 1
    _ = account.reserve(
      Kept(number: sends, streamEnd: UInt64(sent + byteCount), canBeGivenUp: !fate.isBorrowed))
    return sends
  }

  private mutating func report(_ message: SimulatedKernel.Message) {
    _ = account.report(first: message.first, last: message.last)
  }

  private mutating func readToEnd() {
    readAll()
    release()
  }

  private mutating func readAll() {
    while let message = kernel.read() {
      account.noteRead(messages: 1, truncated: 0)
      report(message)
    }
  }

  private mutating func release() {
    guard account.hasNews else { return }
    // A witness speaks only where nothing is unread.
    if fate.kind == .datagram, isLent { readAll() }
    if account.isLearning, !account.learn(optionMemory: kernel.optionMemory, wasLent: isLent) { return }
    var released: [Int] = []
    _ = account.release(witness) { released.append($0.number) }
    if account.awaitsWitness, fate.kind == .stream, kernel.isOver {
      _ = account.release(.unneeded) { released.append($0.number) }
    }
    note(released)
  }

  private var witness: Witness {
    switch fate.kind {
    case .stream: .acknowledged(UInt64(max(0, sent - (kernel.written - kernel.acknowledged))))
    case .datagram: isLent ? .optionMemory(kernel.optionMemory) : .unneeded
    case .counted: .unneeded
    }
  }

  private mutating func note(_ released: [Int]) {
    releasedCount += released.count
    for number in released where kernel.reads(number) {
      problem = problem ?? "send \(number) was released while the kernel reads it"
    }
  }

  /// Of a socket where nothing is out of order in the way that ids are given out, each id releases its send as soon as
  /// those before it are in.
  private func difference() -> String? {
    guard fate.isClean, fate.kind != .counted, account.isExact, !account.awaitsWitness else { return nil }
    let held = account.held
    return inFlightCount - held == blockCount
      ? nil : "\(inFlightCount) in flight, \(held) of them held, and \(blockCount) blocks are out"
  }
}
