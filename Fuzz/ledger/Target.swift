import Glibc

/// libFuzzer's target for the ledger: bytes become the history of one socket, which the ledger and the tests'
/// own naive model live through together. Every id must release its send once, and never before its
/// notification.
///
/// The first byte chooses what is led through the history: 0 the numbers of sends that take one id each, 1
/// the count of sends that take an unknown number of ids.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  var events = EventReader(UnsafeRawBufferPointer(start: start, count: count))
  let problem = events.byte() & 1 == 0 ? liveBySends(&events) : liveByCounting(&events)
  if let problem {
    print("the ledger is wrong: \(problem)")
    fflush(nil)
    abort()
  }
  return 0
}

/// Two bytes say how far below the wrap the ids begin. Then events: one byte each says which, and how many.
private func liveBySends(_ events: inout EventReader) -> String? {
  var model = LedgerModel(base: 0 &- UInt32(events.short()))
  while !events.isAtEnd {
    let event = events.byte()
    var problem: String?
    switch event & 7 {
    case 0, 1:
      for _ in 0...event >> 3 where problem == nil { problem = model.reserve() }
    case 2: problem = model.takeBack()
    case 3, 4:
      // In flight, from the oldest on.
      let first = model.oldest + events.byte()
      problem = model.report(first, first + event >> 3)
    case 5:
      // Near the newest, and perhaps above it.
      let first = model.sends - events.byte()
      problem = model.report(first, first + event >> 3)
    case 6:
      // Done long ago, in part or wholly.
      let first = model.oldest - events.byte()
      problem = model.report(first, first + event >> 3)
    default:
      // Whatever 32 bits can say.
      let first = model.oldest + Int(Int32(bitPattern: events.word()))
      problem = model.report(first, first + Int(events.word()))
    }
    if let problem = problem ?? model.differenceInDetail() { return problem }
  }
  return model.finish()
}

/// Two bytes say how far below the wrap the ids begin, 0 for the first id of all. Then events, as above.
private func liveByCounting(_ events: inout EventReader) -> String? {
  let distance = events.short()
  var model = CountModel(after: distance == 0 ? 0 : (1 << 32) - distance)
  while !events.isAtEnd {
    let event = events.byte()
    let problem: String?
    switch event & 7 {
    case 0, 1: problem = model.send(taking: 1 + event >> 3)
    case 2: problem = model.refusedSend(isCounted: event >> 3 & 1 == 1)
    case 3: problem = model.settle(over: event >> 3)
    case 4: problem = model.miscount(leavingOut: event >> 3)
    case 5: problem = reportIssued(&model, model.next - events.byte(), event >> 3)
    case 6: problem = reportIssued(&model, model.contiguous + events.byte(), event >> 3)
    default:
      let offset = Int(Int32(bitPattern: events.word()))
      let (first, last) = (model.contiguous + offset, model.contiguous + offset + Int(events.word()))
      problem =
        model.isCounted && (first < 0 || last >= model.issued) ? model.reportNeverIssued(first, last) : nil
    }
    if let problem { return problem }
  }
  return model.finish()
}

/// Where somebody has issued these ids; of others it is not known whether they are, before they are counted.
private func reportIssued(_ model: inout CountModel, _ first: Int, _ more: Int) -> String? {
  let last = min(first + more, model.next - 1)
  return first >= 0 && first <= last ? model.report(first, last) : nil
}
