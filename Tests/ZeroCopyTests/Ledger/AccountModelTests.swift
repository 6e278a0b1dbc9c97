import TestSupport
import Testing

@Suite("The account agrees with a kernel that is known to the last block, over random histories")
struct AccountModelTests {
  private static let eventsEach = 2_000

  @Test("Nothing is released early, and nothing is held once every id is in, whatever the kernel does")
  func randomHistories() {
    var total = AccountHistory.Total()
    let histories = TestScale.scaled(1_000_000 / Self.eventsEach)
    for seed in 1...UInt64(histories) {
      var history = AccountHistory(seed: seed)
      if let disagreement = history.run(events: Self.eventsEach, &total) {
        Issue.record("seed \(seed), \(history.fate): \(disagreement)")
        return
      }
    }
    print("histories \(histories): \(total)")
    // They are there to meet each of these.
    #expect(total.released > 10 * histories)
    #expect(total.settled > histories / 10)
    #expect(total.givenUp > histories / 20)
    #expect(total.copying > histories / 20)
  }
}

/// The random life of sockets of one kind, one after the other.
private struct AccountHistory {
  struct Total {
    var released = 0
    var settled = 0
    var givenUp = 0
    /// Sockets that copied in the end.
    var copying = 0
  }

  let fate: AccountModel.Fate
  private var random: SeededGenerator
  /// How many sends this history likes to have in flight: small and large ones behave differently.
  private let appetite: Int

  init(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    func chance(_ odds: Double) -> Bool { Double.random(in: 0..<1, using: &random) < odds }
    var fate = AccountModel.Fate()
    fate.kind = .allCases.randomElement(using: &random)!
    fate.isLent = chance(0.5)
    fate.isAdopted = chance(0.3)
    fate.takesNone = chance(0.3)
    // Others that send have the descriptor; a program that takes a TCP connection over needs none.
    fate.takesMore = chance(0.3) && (fate.kind == .stream || fate.isLent || fate.isAdopted)
    if fate.kind == .datagram, fate.takesMore { fate.takesNone = false }
    fate.losesIDs = chance(0.3)
    fate.isBorrowed = chance(0.3)
    fate.firstID =
      chance(0.5) ? 0 &- UInt32.random(in: 0..<500, using: &random) : .random(in: 0...(.max), using: &random)
    // An adopted descriptor begins at rest.
    fate.otherMemory =
      chance(0.5) ? 0 : Int.random(in: 0..<(fate.isAdopted ? 512 : 5_000), using: &random)
    self.fate = fate
    appetite = Int.random(in: 1...100, using: &random)
    self.random = random
  }

  /// - Returns: Where account and kernel part, in words.
  mutating func run(events: Int, _ total: inout Total) -> String? {
    var model = AccountModel(fate)
    for event in 0..<events {
      if let problem = step(&model) { return "event \(event): \(problem)" }
      guard model.hasEnded || Int.random(in: 0..<500, using: &random) == 0 else { continue }
      if let problem = finish(&model, &total) { return "event \(event), at the end: \(problem)" }
      model = AccountModel(fate)
    }
    return finish(&model, &total).map { "at the end: \($0)" }
  }

  private func finish(_ model: inout AccountModel, _ total: inout Total) -> String? {
    let problem = model.end()
    total.released += model.releasedCount
    total.settled += model.settledCount
    total.givenUp += model.givenUpCount
    total.copying += model.hasEnded ? 1 : 0
    return problem
  }

  private mutating func step(_ model: inout AccountModel) -> String? {
    switch draw(100) {
    case 0..<40:
      let wantsMore = model.inFlightCount < draw(2 * appetite)
      return wantsMore ? send(&model) : progress(&model)
    case 40..<60: return progress(&model)
    case 60..<75:
      return model.read(1 + draw(4), isTruncated: draw(8) == 0, isRepeated: draw(8) == 0)
    case 75..<82: return model.look(after: draw(10) == 0 ? draw(3_000_000_000) : draw(4_000_000))
    case 82..<88: return model.count()
    case 88..<92: return model.refusedSend(.allCases[draw(AccountModel.Refusal.allCases.count)])
    default: disturb(&model)
    }
    // What was never sent is far away from what was.
    return draw(300) == 0 ? model.invent(1 << 16 + UInt32(draw(1 << 20))) : nil
  }

  private mutating func send(_ model: inout AccountModel) -> String? {
    var ids = 1
    if fate.kind == .counted { ids = 1 + draw(5) }
    if fate.takesMore, fate.kind == .stream, draw(10) == 0 { ids = 2 + draw(3) }
    if fate.takesNone, draw(10) == 0 { ids = 0 }
    return model.send(1 + draw(100_000), ids: ids)
  }

  private mutating func progress(_ model: inout AccountModel) -> String? {
    if fate.kind == .stream { model.acknowledge(draw(300_000)) }
    // In order more often than not.
    for _ in 0..<1 + draw(4) { model.finish(draw(4) == 0 ? draw(1 << 20) : 0) }
    return nil
  }

  private mutating func disturb(_ model: inout AccountModel) {
    switch draw(8) {
    case 0...2: model.setOtherMemory(Bool.random(using: &random) ? draw(6) * 832 : draw(5_000))
    case 3: if fate.takesMore, fate.isLent || fate.isAdopted { model.foreignSend(1 + draw(50_000)) }
    case 4: model.switchOption()
    case 5: model.steal()
    case 6: if draw(20) == 0 { model.setBlockSize(832 + 64 * draw(3)) }
    default: if fate.kind == .stream, draw(40) == 0 { model.endConnection() }
    }
  }

  private mutating func draw(_ count: Int) -> Int { Int.random(in: 0..<max(1, count), using: &random) }
}
