import Glibc
import TestSupport
import Testing
import ZeroCopy

/// Whatever becomes of notifications: no memory comes back early, every byte arrives once, and a flush ends.
@Suite("Faults of notifications")
struct NotificationFaultTests {
  /// What the kernel itself does at times, and what a later kernel may do.
  enum Fault: String, CaseIterable, Sendable {
    case none, shuffled, merged, split, splitOverReads, repeated, foreign, beforeReturn, allAtOnce

    func plan(_ faults: inout NotificationFaults) {
      switch self {
      case .none: break
      case .shuffled: faults.held = 6
      case .merged:
        faults.held = 6
        faults.merged = 0.7
      case .split: faults.split = 1
      case .splitOverReads:
        faults.split = 1
        faults.perRead = 1
      case .repeated: faults.repeated = 0.5
      case .foreign: faults.foreign = 0.5
      case .beforeReturn: faults.beforeReturn = true
      case .allAtOnce:
        faults.held = 4
        faults.merged = 0.2
        faults.split = 0.5
        faults.repeated = 0.2
        faults.foreign = 0.2
      }
    }
  }

  @Test(
    "Each send is confirmed once by its own notification, and no memory is free before",
    arguments: Fault.allCases, Family.withZeroCopy)
  func harmless(_ fault: Fault, _ family: Family) throws {
    let (statistics, counts) = try sendPattern(family, isSlow: fault != .beforeReturn) { fault.plan(&$0) }
    #expect(statistics.completed == statistics.zeroCopySends)
    #expect(statistics.inFlight == 0)
    #expect(statistics.bytesInFlight == 0)
    #expect(statistics.settled == 0)
    #expect(statistics.unknownNotifications == 0)
    #expect(statistics.truncatedMessages == 0)
    // One that is joined with another after it was repeated may still say something new.
    #expect(statistics.repeatedNotifications <= counts.repeated)
    #expect(statistics.foreignMessages == counts.foreign)
    switch fault {
    case .none, .beforeReturn: break
    case .shuffled: #expect(counts.outOfOrder > 0)
    case .merged: #expect(counts.merged > 0)
    // A slow machine may report each id by itself.
    case .split, .splitOverReads: #expect(counts.split == counts.ranges)
    case .repeated: #expect(counts.repeated > 0 && statistics.repeatedNotifications == counts.repeated)
    case .foreign: #expect(counts.foreign > 0)
    case .allAtOnce: #expect(counts.outOfOrder * counts.repeated * counts.foreign > 0)
    }
  }

  @Test("Lost ids hold their memory until nothing at all is in flight (rules 12, 31)", arguments: [0, 4])
  func truncated(_ held: Int) throws {
    let (statistics, counts) = try sendPattern(.ipv4, isSlow: true) {
      $0.held = held
      $0.truncated = 0.1
    }
    #expect(counts.truncated > 0)
    #expect(statistics.truncatedMessages == counts.truncated)
    #expect(statistics.settled > 0)
    #expect(statistics.completed == statistics.zeroCopySends)
    #expect(statistics.inFlight == 0)
  }

  @Test("Once nothing is in flight, reading the queue is enough to have back what lost ids held")
  func truncatedAtRest() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications { $0.truncated = 1 }
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    _ = try pair.server.read(count: 1000)
    // The acknowledgement is in by the time that an answer is.
    try pair.server.writeAll(memory, mode: .copy)
    _ = try pair.client.read(count: 1000)
    // Two readings apart have to agree.
    #expect(try pair.client.reap() == 0)
    usleep(5_000)
    #expect(try pair.client.reap() == 1)
    #expect(pair.client.statistics.truncatedMessages == 1)
    #expect(pair.client.statistics.settled == 1)
    #expect(pair.client.statistics.inFlight == 0)
  }

  @Test("An id that was never issued is counted and not believed, and the socket finds its way back")
  func unknown() throws {
    let (statistics, counts) = try sendPattern(.ipv4, isSlow: true) { $0.unknown = 0.05 }
    #expect(counts.unknown > 0)
    #expect(statistics.unknownNotifications > 0)
    #expect(statistics.completed == statistics.zeroCopySends)
    #expect(statistics.inFlight == 0)
  }

  @Test(
    "A lost or an unknown id brings nothing back while something is in flight",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"), arguments: [true, false])
  func holdsEverything(_ isLost: Bool) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications {
      $0.beforeReturn = true
      $0.truncated = isLost ? 1 : 0
      $0.unknown = isLost ? 0 : 1
    }
    // Told, but not read yet; and behind it sends that nobody acknowledges.
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .zeroCopy)
    #expect(faults.counts.reportedIDs == 1)
    faults.calm()
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    let accepted = try 1000 + pair.client.fill(with: memory, mode: .zeroCopy)
    let sends = pair.client.statistics.zeroCopySends
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .milliseconds(50)) }?.code
        == .timedOut)
    let stalled = pair.client.statistics
    #expect(isLost ? stalled.truncatedMessages == 1 : stalled.unknownNotifications == 1)
    // An unknown id comes behind a good one, which is not believed either.
    #expect(stalled.completed == 0)
    #expect(stalled.inFlight == sends)
    let peer = pair.serve { socket in try socket.read(count: accepted).count }
    try pair.client.flush(timeout: .seconds(20))
    #expect(pair.client.statistics.completed == sends)
    // What comes behind a lost id waits for it, and what comes beside a wrong one is not believed.
    #expect(pair.client.statistics.settled == sends)
    #expect(try peer.value() == accepted)
  }

  @Test(
    "Ids that were never issued release nothing, wherever they lie",
    arguments: [(5, 5), (0, 5), (4, 9), (.max, 0), (.max - 1, .max), (1 << 31, 1 << 31), (0, .max)]
      as [(UInt32, UInt32)])
  func neverIssued(_ first: UInt32, _ last: UInt32) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    var expected = try pair.stall()
    let memory = pinnedBytes(1000)
    for _ in 0..<5 {
      #expect(try pair.client.writev(UnsafeRawBufferPointer(memory), mode: .zeroCopy) == 1000)
      expected += memory
    }
    faults.inject(first: first, last: last)
    #expect(try pair.client.reap() == 0)
    #expect(pair.client.statistics.inFlight == 5)
    #expect(pair.client.statistics.unknownNotifications == 1)
    #expect(try pair.server.read(count: expected.count) == expected)
    #expect(try pair.client.flush(timeout: .seconds(20)).completed == 5)
    #expect(pair.client.statistics.settled == 5)
  }

  @Test(
    "While the first send of an adopted descriptor is in flight, no other id is taken for its own (rule 6)")
  func notItsOwn() throws {
    var pair = try Connected()
    var expected = try pair.stall()
    let descriptor = try pair.client.relinquish()
    let faults = try Faults(on: descriptor)
    var adopted = try ZeroCopySocket(adopting: descriptor)
    let memory = pinnedBytes(1000)
    #expect(try adopted.writev(UnsafeRawBufferPointer(memory), mode: .zeroCopy) == 1000)
    expected += memory
    // Another owner's, who sends on a duplicate of the descriptor.
    faults.inject(first: 7, last: 7)
    #expect(try adopted.reap() == 0)
    #expect(adopted.statistics.inFlight == 1)
    #expect(try pair.server.read(count: expected.count) == expected)
    #expect(try adopted.flush(timeout: .seconds(20)).completed == 1)
    for _ in 0..<3 { try adopted.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy) }
    #expect(try adopted.flush(timeout: .seconds(20)).completed == 3)
    #expect(try pair.server.read(count: 3000) == Array(memory) + memory + memory)
  }

  @Test(
    "Ids that cross the end of 32 bits are as good as others (rule 1)",
    arguments: [UInt32.max - 20, .max - 1, .max, 0, 0x8000_0000 - 10],
    [Fault.none, .shuffled, .merged, .split])
  func wrapping(_ firstID: UInt32, _ fault: Fault) throws {
    var pair = try Connected()
    let descriptor = try pair.client.relinquish()
    let faults = try Faults(on: descriptor, firstID: firstID)
    faults.notifications { fault.plan(&$0) }
    var adopted = try ZeroCopySocket(adopting: descriptor)
    let peer = pair.serve { socket in
      let (byteCount, wrongAt) = try socket.readPattern(isSlow: true)
      #expect(wrongAt == nil)
      return byteCount
    }
    var sender = ScribblingSender(slots: 24, byteCount: 40_000)
    for _ in 0..<100 {
      try sender.send(40_000, mode: .zeroCopy, on: &adopted)
      try sender.send(1, mode: .copy, on: &adopted)
    }
    try adopted.finishWriting()
    try adopted.flush(timeout: .seconds(20))
    try sender.scribble(socket: &adopted)
    #expect(try peer.value() == sender.sent)
    #expect(adopted.statistics.completed == adopted.statistics.zeroCopySends)
    #expect(adopted.statistics.unknownNotifications == 0)
    #expect(adopted.statistics.settled == 0)
  }

  /// Sends about 6 MB from a few buffers to a peer that reads slowly or at once, and compares every byte.
  private func sendPattern(
    _ family: Family, isSlow: Bool, _ plan: (inout NotificationFaults) -> Void
  ) throws -> (Statistics, FaultCounts) {
    var pair = try Connected(family)
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications(plan)
    let peer = pair.serve { socket in
      let (byteCount, wrongAt) = try socket.readPattern(isSlow: isSlow)
      #expect(wrongAt == nil, "released early")
      return byteCount
    }
    var sender = ScribblingSender(slots: 24, byteCount: 40_000)
    for number in 0..<150 {
      try sender.send(40_000, pieces: 1 + number % 4, mode: .zeroCopy, on: &pair.client)
      // A copied byte between: else TCP makes one block of many sends, and one notification (rule 8).
      try sender.send(1, mode: .copy, on: &pair.client)
      // Released is only what the kernel has let go of, as far as it has said so.
      #expect(pair.client.statistics.completed - pair.client.statistics.settled <= faults.counts.reportedIDs)
    }
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(20))
    try sender.scribble(socket: &pair.client)
    #expect(try peer.value() == sender.sent)
    // What was told twice may still wait.
    faults.calm()
    try pair.client.reap()
    return (pair.client.statistics, faults.counts)
  }
}
