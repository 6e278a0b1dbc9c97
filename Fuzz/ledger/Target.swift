import Glibc

/// libFuzzer's target for the ledger: bytes become the history of one socket, which the account and the tests' own
/// kernel, known to the last block, live through together. Nothing may be released early, and nothing held for ever.
///
/// Four bytes say what kind of socket it is, what may happen to it, and where its ids begin; then one byte each says
/// which event comes, and how much of it.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  var events = EventReader(UnsafeRawBufferPointer(start: start, count: count))
  if let problem = live(&events) {
    print("the ledger is wrong: \(problem)")
    fflush(nil)
    abort()
  }
  return 0
}

private func live(_ events: inout EventReader) -> String? {
  let fate = AccountModel.Fate(readingFrom: &events)
  var model = AccountModel(fate)
  while !events.isAtEnd, !model.hasEnded {
    if let problem = step(&model, fate, &events) { return problem }
  }
  return model.end()
}

private func step(
  _ model: inout AccountModel, _ fate: AccountModel.Fate, _ events: inout EventReader
) -> String? {
  let event = events.byte()
  let amount = event >> 4
  switch event & 15 {
  case 0, 1, 2: return model.send(1 + amount * 5_000, ids: fate.ids(amount))
  case 3:
    return model.refusedSend(AccountModel.Refusal.allCases[amount % AccountModel.Refusal.allCases.count])
  case 4: model.acknowledge(amount * 10_000)
  case 5, 6: model.finish(amount)
  case 7: return model.read(1 + amount % 4, isTruncated: amount & 4 != 0, isRepeated: amount & 8 != 0)
  case 8: return model.look(after: amount * 500_000)
  case 9: return model.look(after: amount * 200_000_000)
  case 10: return model.count()
  case 11: model.setOtherMemory(amount * 832 + (amount & 1) * events.byte())
  case 12: if fate.takesMore, fate.isLent || fate.isAdopted { model.foreignSend(1 + amount * 3_000) }
  case 13: if amount & 1 == 0 { model.switchOption() } else { model.steal() }
  case 14: return model.invent(1 << 16 + UInt32(events.short()))
  default:
    if fate.kind == .stream, amount == 15 {
      model.endConnection()
    } else {
      model.setBlockSize(832 + amount * 16)
    }
  }
  return nil
}

extension AccountModel.Fate {
  fileprivate init(readingFrom events: inout EventReader) {
    self.init()
    let flags = events.byte()
    kind = AccountModel.Kind.allCases[flags % 3]
    let more = events.byte()
    isLent = more & 1 != 0
    isAdopted = more & 2 != 0
    takesNone = more & 4 != 0
    takesMore = more & 8 != 0 && (kind == .stream || isLent || isAdopted)
    if kind == .datagram, takesMore { takesNone = false }
    losesIDs = more & 16 != 0
    isBorrowed = more & 32 != 0
    let start = events.short()
    firstID = 0 &- UInt32(start & 511)
    otherMemory = isAdopted ? start >> 8 : start >> 3
  }

  /// How many ids a send takes.
  fileprivate func ids(_ amount: Int) -> Int {
    if kind == .counted { return 1 + amount % 5 }
    if takesMore, kind == .stream, amount == 7 { return 3 }
    return takesNone && amount == 5 ? 0 : 1
  }
}
