import Testing
import ZeroCopy

@Suite("An account releases by evidence, and holds what it cannot tell apart")
struct AccountTests {
  @Test("An id releases its send once those below it are in, and is held until then (rule 32)")
  func inOrder() {
    let account = TestAccount()
    account.send(4)
    #expect(account.report(2, 3) == [])
    #expect(account.held == 2 && account.inFlight == 4)
    #expect(account.report(1) == [])
    #expect(account.report(0) == [0, 1, 2, 3])
    #expect(account.held == 0)
  }

  @Test(
    "A send that took no id makes those behind it wait for one id more, and releases none early (rule 32)")
  func tookNone() {
    let account = TestAccount()
    // Of 0 to 3 the kernel has counted 1 not at all: its ids 0, 1, 2 are those of 0, 2, 3.
    account.send(4)
    #expect(account.report(2) == [])
    #expect(account.report(0) == [0])
    #expect(account.report(1) == [1, 2])
    #expect(account.inFlight == 1)
  }

  @Test("What a TCP peer has not acknowledged is held, whatever ids have come (rule 34)")
  func unacknowledged() {
    let account = TestAccount()
    account.send(3, bytes: 100)
    // The first send has taken two ids.
    #expect(account.report(0, 1, .acknowledged(150)) == [0])
    #expect(account.awaitsWitness && account.wantsLook && account.held == 1)
    #expect(account.release(.acknowledged(199)) == [])
    #expect(account.release(.acknowledged(200)) == [1])
    #expect(!account.awaitsWitness)
  }

  @Test("Where others may send, no more blocks may be out than sends, or none of the ids is believed")
  func foreignBlocks() {
    let account = TestAccount(atRest: 48)
    account.send(2)
    // Others have taken id 0, and ours are 1 and 2.
    #expect(account.report(0, 0, .optionMemory(48 + 2 * 832)) == [])
    #expect(account.certainty == .mistrusted)
    #expect(account.report(1, 1, .optionMemory(48 + 832)) == [])
    let good = TestAccount(atRest: 48)
    good.send(2)
    // Groups were joined since: they are less than a block.
    #expect(good.report(0, 0, .optionMemory(48 + 96 + 832)) == [0])
    #expect(good.report(1, 1, .optionMemory(48)) == [1])
  }

  @Test("What was there before zero copy began is what is there at rest, unless it may be blocks of others")
  func beforeFirstSend() {
    for (before, isRest) in [(48, true), (1_000, true), (832, false), (3 * 832, false)] as [(Int64, Bool)] {
      let account = TestAccount()
      account.beforeFirstSend(before)
      account.send()
      #expect(account.report(0, 0, .optionMemory(before)) == (isRest ? [0] : []))
    }
  }

  @Test("An id that was never issued makes the others doubtful, until nothing at all is out")
  func mistrusted() {
    let account = TestAccount()
    account.send(3)
    #expect(account.report(7) == [])
    #expect(account.certainty == .mistrusted)
    #expect(account.report(0, 2) == [])
    #expect(account.look(at: 0, 832) == [] && account.look(at: 10, 832) == [])
    #expect(account.look(at: 20, 0) == [])
    #expect(account.look(at: 30, 0) == [0, 1, 2])
    #expect(account.certainty == .learning(newest: nil))
    #expect(account.consequence == .none)
  }

  @Test("A socket whose ids are not its own again and again copies in the end")
  func mistrustedAgain() {
    let account = TestAccount()
    var time: UInt64 = 0
    for _ in 0..<40 where account.consequence == .none {
      if account.certainty == .learning(newest: nil) {
        account.send()
        _ = account.report(5)
        #expect(account.learn(0) && account.release(.unneeded).count == 1)
      }
      account.send()
      _ = account.report(1 << 20)
      time += 100
      _ = account.look(at: time, 0)
      #expect(account.look(at: time + 50, 0).count == 1)
    }
    #expect(account.consequence == .foreignIDs)
  }

  // MARK: Learning

  @Test(
    "Where the counter stands is learnt from the send that goes alone, once nothing is out (rule 6)",
    arguments: [0, 41, UInt32.max])
  func learnt(_ id: UInt32) {
    let account = TestAccount(hasHistory: true)
    account.send()
    #expect(account.report(id) == [])
    #expect(!account.learn(832))
    #expect(account.learn(0))
    #expect(account.release(.unneeded) == [0])
    account.send(2)
    #expect(account.report(id &+ 1, id &+ 2) == [1, 2])
    #expect(account.certainty == .exact)
  }

  @Test("While another's block is out, no id is taken for the first send's own")
  func notItsOwn() {
    let account = TestAccount(hasHistory: true)
    account.send()
    #expect(account.report(7) == [])
    #expect(!account.learn(832))
    #expect(account.report(8) == [])
    #expect(account.learn(48))
    #expect(account.release(.unneeded) == [0])
    account.send()
    #expect(account.report(9) == [1])
  }

  // MARK: Refused datagrams

  @Test("A refused datagram took no id only where no more blocks can be out than without it (rule 2)")
  func refused() {
    let account = TestAccount()
    account.send(3)
    #expect(account.hasSurelyTakenNone(2 * 832))
    #expect(account.hasSurelyTakenNone(2 * 832 + 48))
    #expect(!account.hasSurelyTakenNone(3 * 832))
    #expect(!account.hasSurelyTakenNone(-1))
    let unknown = TestAccount(blockSize: nil)
    unknown.send(1)
    #expect(unknown.hasSurelyTakenNone(511))
    #expect(!unknown.hasSurelyTakenNone(832))
  }

  @Test("A number that is held in vain releases nothing early, and is settled when nothing is out")
  func heldInVain() {
    let account = TestAccount()
    account.send(2)
    account.keepRefused()
    account.send(2)
    // Of 0 to 3 the kernel has counted 0, 2 and 3.
    #expect(account.report(0, 2) == [0, 1, 2])
    #expect(account.look(at: 0, 0) == [])
    #expect(account.look(at: 5, 0) == [3])
    // That is nothing the socket has done: it goes on.
    #expect(account.consequence == .none)
    #expect(account.certainty == .learning(newest: nil))
  }

  @Test("A number that was not held in vain is sure again when its id has come")
  func heldForGood() {
    let account = TestAccount()
    account.send()
    account.keepRefused()
    #expect(account.certainty == .uncertain)
    #expect(account.report(0) == [0])
    #expect(account.certainty == .exact)
  }

  @Test("What was in flight at a refused call waits for all its ids, where the call's may be another owner's")
  func refusedAmongOthers() {
    let account = TestAccount()
    // Ids 0, 2 and 3; 1 is another's, 2 is out, and the refused one, number 3, took none.
    account.send(4)
    #expect(account.report(3, nil, .optionMemory(2 * 832)) == [])
    account.keepRefused(isReported: true, wasLent: true)
    #expect(account.report(0, 1, .optionMemory(832)) == [])
    #expect(account.report(2, nil, .optionMemory(0)) == [0, 1, 2, 3])
    // What follows does not wait for it.
    account.send(2)
    #expect(account.report(4, nil, .optionMemory(832)) == [4])
  }

  @Test("Where ids are lost, a lent socket's are believed only when no block is out")
  func lostAmongOthers() {
    let account = TestAccount()
    // Ids 0, 2 and 3; 1 is another's, 3 is lost, and 2 is out.
    account.send(3)
    account.lose()
    #expect(account.report(0, 1, .optionMemory(832)) == [])
    #expect(account.awaitsWitness)
    #expect(account.release(.optionMemory(0)) == [0, 1])
  }

  // MARK: Several ids a send

  @Test("A count is an upper bound: what others use besides makes it higher, never lower")
  func counted() {
    let account = TestAccount(countsIDs: true)
    account.send(2)
    // Five blocks, and something of others that is less than one.
    account.count(5 * 832 + 600)
    #expect(account.report(0, 3) == [])
    #expect(account.report(4) == [0, 1])
  }
}
