import ZeroCopy

/// An `Account` behind a reference: an expectation cannot call what mutates a value, nor copy this one. What is kept for
/// a send is its number.
final class TestAccount {
  struct Kept: ~Copyable, AccountedSend {
    let number: UInt64
    let streamEnd: UInt64
    let canBeGivenUp: Bool
  }

  private var account: Account<Kept>
  private(set) var givenUp: [UInt64] = []
  private(set) var consequence = Settlement.Consequence.none

  init(hasHistory: Bool = false, countsIDs: Bool = false, atRest: Int64 = 0, blockSize: Int64? = 832) {
    account = Account(hasHistory: hasHistory, countsIDs: countsIDs, optionMemoryAtRest: atRest)
    account.blockSize = blockSize
  }

  var certainty: Certainty { account.certainty }
  var inFlight: Int { account.inFlight.count }
  var held: Int { account.held }
  var awaitsWitness: Bool { account.awaitsWitness }
  var wantsLook: Bool { account.wantsLook }

  /// Sends of so many bytes each.
  func send(_ count: Int = 1, bytes: UInt64 = 100, canBeGivenUp: Bool = true) {
    for _ in 0..<count {
      let number = account.inFlight.next
      _ = account.reserve(
        Kept(number: number, streamEnd: (number + 1) * bytes, canBeGivenUp: canBeGivenUp))
    }
  }

  func beforeFirstSend(_ optionMemory: Int64, wasLent: Bool = true) {
    account.noteBeforeFirstSend(optionMemory: optionMemory, wasLent: wasLent)
  }
  func takeBack() { _ = account.takeBack() }
  func keepRefused(isReported: Bool = false, wasLent: Bool = false) {
    account.keepRefused(isReported: isReported, wasLent: wasLent)
  }
  func hasSurelyTakenNone(_ optionMemory: Int64) -> Bool {
    account.hasSurelyTakenNone(optionMemory: optionMemory)
  }
  func isReported(_ send: UInt64) -> Bool { account.isReported(send) }
  func lose(_ messages: Int = 1) { account.noteRead(messages: messages, truncated: messages) }
  func count(_ optionMemory: Int64) { account.count(optionMemory: optionMemory) }
  func learn(_ optionMemory: Int64, wasLent: Bool = true) -> Bool {
    account.learn(optionMemory: optionMemory, wasLent: wasLent)
  }

  /// - Returns: What a notification releases.
  func report(_ first: UInt32, _ last: UInt32? = nil, _ witness: Witness = .unneeded) -> [UInt64] {
    account.noteRead(messages: 1, truncated: 0)
    _ = account.report(first: first, last: last ?? first)
    return release(witness)
  }

  func release(_ witness: Witness) -> [UInt64] {
    var released: [UInt64] = []
    _ = account.release(witness) { released.append($0.number) }
    return released
  }

  /// - Parameter at: In milliseconds.
  /// - Returns: What is released; `givenUp` and `consequence` say the rest.
  func look(
    at milliseconds: UInt64, _ optionMemory: Int64, isAcknowledged: Bool = true, isOptionOn: Bool = true,
    wasLent: Bool = false
  ) -> [UInt64] {
    var released: [UInt64] = []
    let reading = RestReading(
      at: milliseconds * 1_000_000, optionMemory: optionMemory, isAcknowledged: isAcknowledged,
      isOptionOn: isOptionOn, wasLent: wasLent)
    let settlement = account.settle(reading) { kept, isOut in
      if isOut { givenUp.append(kept.number) } else { released.append(kept.number) }
    }
    if settlement.consequence != .none { consequence = settlement.consequence }
    return released
  }
}
