import Testing
import ZeroCopy

@Suite("Sends whose ids do not come are settled by evidence, or given up")
struct SettlingTests {
  @Test("Nothing is settled before all is acknowledged, and two readings apart agree that nothing is out")
  func twoReadings() {
    let account = TestAccount()
    account.send(2)
    account.lose()
    #expect(account.look(at: 0, 0, isAcknowledged: false) == [])
    #expect(account.look(at: 10, 0, isAcknowledged: false) == [])
    #expect(account.look(at: 20, 0) == [])
    #expect(account.look(at: 21, 0) == [], "a millisecond is not apart")
    #expect(account.look(at: 23, 0) == [0, 1])
  }

  @Test("What changes between two readings begins anew: a message, a send, the option memory")
  func changes() {
    let account = TestAccount()
    account.send(2)
    account.lose()
    #expect(account.look(at: 0, 0) == [])
    account.lose()
    #expect(account.look(at: 10, 0) == [])
    account.send()
    #expect(account.look(at: 20, 0) == [])
    #expect(account.look(at: 30, 100) == [])
    #expect(account.look(at: 40, 100, isAcknowledged: false) == [])
    #expect(account.look(at: 50, 100) == [])
    #expect(account.look(at: 60, 100) == [0, 1, 2])
  }

  @Test(
    "Less option memory than one block takes is proof, whoever has had the descriptor",
    arguments: [false, true])
  func lessThanABlock(_ wasLent: Bool) {
    let account = TestAccount(atRest: 2_000)
    account.send()
    account.lose()
    #expect(account.look(at: 0, 511, wasLent: wasLent) == [])
    #expect(account.look(at: 10, 511, wasLent: wasLent) == [0])
  }

  @Test("What it was at rest is proof only while nobody else has had the descriptor (rule 33)")
  func asAtRest() {
    let account = TestAccount(atRest: 2_000)
    account.send()
    account.lose()
    #expect(account.look(at: 0, 2_000) == [])
    #expect(account.look(at: 10, 2_000) == [0])
    let lent = TestAccount(atRest: 2_000)
    lent.send()
    lent.lose()
    // A filter that is a block smaller now, and the block that is out.
    #expect(lent.look(at: 0, 2_000, wasLent: true) == [])
    #expect(lent.look(at: 500, 2_000, wasLent: true) == [])
    #expect(lent.inFlight == 1 && lent.givenUp == [])
  }

  @Test("What cannot be told is given up when nothing has changed for a second, and the socket copies")
  func givenUp() {
    let account = TestAccount(atRest: 0)
    account.send()
    account.send(1, canBeGivenUp: false)
    account.send()
    account.lose()
    #expect(account.look(at: 0, 2_000, wasLent: true) == [])
    #expect(account.look(at: 999, 2_000, wasLent: true) == [])
    #expect(account.givenUp == [] && account.consequence == .none)
    #expect(account.look(at: 1_000, 2_000, wasLent: true) == [])
    #expect(account.givenUp == [0, 2])
    #expect(account.consequence == .neverNotified)
    // Memory of the caller's is held, until it is proven or its own id says so.
    #expect(account.inFlight == 1)
    #expect(account.look(at: 9_000, 2_000, wasLent: true) == [])
    #expect(account.inFlight == 1)
    #expect(account.look(at: 9_500, 0, wasLent: true) == [])
    #expect(account.look(at: 9_600, 0, wasLent: true) == [1])
  }

  @Test("Blocks that can be nothing else are waited for, however long")
  func blocksOut() {
    let account = TestAccount(atRest: 48)
    account.send(3)
    account.lose()
    for time in 0..<20 as Range<UInt64> { #expect(account.look(at: 1_000 * time, 48 + 2 * 832) == []) }
    #expect(account.givenUp == [] && account.inFlight == 3)
    // What does not fit is something else.
    #expect(account.look(at: 30_000, 48 + 2 * 832 + 8) == [])
    #expect(account.look(at: 31_000, 48 + 2 * 832 + 8) == [])
    #expect(account.givenUp == [0, 1, 2])
  }

  @Test("Option memory that cannot be read proves nothing")
  func unreadable() {
    let account = TestAccount(atRest: -1)
    account.send()
    account.lose()
    #expect(account.look(at: 0, -1) == [] && account.look(at: 10, -1) == [])
    #expect(account.inFlight == 1)
    #expect(account.look(at: 2_000, -1) == [])
    #expect(account.givenUp == [0])
  }

  // MARK: What the socket does from then on

  @Test("A send that was never notified, although nothing has lost its id, makes the socket copy")
  func neverNotified() {
    for hasHistory in [false, true] {
      let account = TestAccount(hasHistory: hasHistory)
      account.send()
      #expect(account.look(at: 0, 0) == [])
      #expect(account.look(at: 10, 0) == [0])
      #expect(account.consequence == .neverNotified)
    }
  }

  @Test("So does an option that somebody has switched off")
  func optionOff() {
    let account = TestAccount()
    account.send()
    #expect(account.look(at: 0, 0, isOptionOn: false) == [])
    #expect(account.look(at: 10, 0, isOptionOn: false) == [0])
    #expect(account.consequence == .optionIsOff)
  }

  @Test("A lost id does not: where the counter stands is learnt anew", arguments: [false, true])
  func lost(_ hasHistory: Bool) {
    let account = TestAccount(hasHistory: hasHistory)
    account.send()
    account.lose()
    #expect(account.look(at: 0, 0) == [] && account.look(at: 10, 0) == [0])
    #expect(account.consequence == .none)
    account.send()
    _ = account.report(40)
    #expect(account.learn(0) && account.release(.unneeded) == [1])
  }

  @Test("65,536 ids behind a late one are held, and released with it")
  func behindALateOne() {
    let account = TestAccount()
    account.send(65_537)
    for id in stride(from: 65_536, to: 0, by: -1) as StrideTo<UInt32> where id % 2 == 0 {
      _ = account.report(id)
    }
    #expect(account.held == 32_768 && account.inFlight == 65_537)
    #expect(account.report(1, 65_536) == [])
    #expect(account.held == 65_536)
    #expect(account.report(0).count == 65_537)
    #expect(account.held == 0 && account.inFlight == 0)
  }
}
