import Glibc
import TestSupport
import Testing
import ZeroCopy

/// Everything at once, from a seed.
@Suite("Histories of faults")
struct FaultHistoryTests {
  @Test(
    "Whatever fails, no memory comes back early, every byte arrives once, and the flush ends",
    arguments: 1...UInt64(TestScale.scaled(12)))
  func stream(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var pair = try Connected(Bool.random(using: &random) ? .ipv4 : .ipv6)
    pair.client.setBlocking(Bool.random(using: &random))
    let faults = try Faults(on: pair.client.fileDescriptor, seed: seed)
    faults.random(.random(using: &random))
    faults.notifications { $0.randomise(using: &random) }
    let isSlow = Bool.random(using: &random)
    let peer = pair.serve { socket in
      let (byteCount, wrongAt) = try socket.readPattern(isSlow: isSlow)
      #expect(wrongAt == nil, "released early")
      return byteCount
    }
    var sender = ScribblingSender(slots: 8, byteCount: 400_000)
    for _ in 0..<60 {
      let mode = [WriteMode.zeroCopy, .zeroCopy, .automatic, .copy].randomElement(using: &random)!
      try sender.send(
        Int.random(in: 1...(mode == .copy ? 100 : mode == .zeroCopy ? 60_000 : 400_000), using: &random),
        pieces: Int.random(in: 1...40, using: &random), mode: mode, on: &pair.client)
      #expect(pair.client.statistics.completed - pair.client.statistics.settled <= faults.counts.reportedIDs)
    }
    try pair.client.finishWriting()
    #expect(try pair.client.flush(timeout: .seconds(30)).remaining == 0)
    try sender.scribble(socket: &pair.client)
    #expect(try peer.value() == sender.sent)
    let statistics = pair.client.statistics
    #expect(statistics.bytes == sender.sent)
    #expect(statistics.completed == statistics.zeroCopySends)
    #expect(statistics.zeroCopySends == faults.counts.zeroCopySends)
    #expect(statistics.bytesInFlight == 0)
  }

  @Test(
    "The same for datagrams, of which some fail after they took an id (rule 2)",
    arguments: 1...UInt64(TestScale.scaled(12)))
  func datagrams(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var pair = try Datagrams(Bool.random(using: &random) ? "127.0.0.1" : "[::1]")
    let faults = try Faults(on: pair.client.fileDescriptor, seed: seed)
    faults.notifications { $0.randomise(using: &random) }
    let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
    for _ in 0..<200 {
      let fault = [
        SendFault.none, .none, .none, .failure(.interrupted), .failure(.badAddress), .failure(.noBufferSpace),
        .failureTakingID(.noBufferSpace), .failureTakingID(.invalidArgument),
      ].randomElement(using: &random)!
      faults.nextSends([fault])
      let mode = [WriteMode.zeroCopy, .automatic].randomElement(using: &random)!
      let size = Int.random(in: 1...60_000, using: &random)
      let datagram = UnsafeRawBufferPointer(rebasing: memory[(60_000 - size)...])
      let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(datagram, mode: mode) }
      #expect(failure?.isSocketUsable != false)
      let isSent = failure == nil
      // One datagram for each write that returned, and none for one that threw.
      if isSent { try pair.server.expectDatagram(datagram) }
      #expect(pair.client.statistics.completed - pair.client.statistics.settled <= faults.counts.reportedIDs)
    }
    #expect(try pair.client.flush(timeout: .seconds(30)).remaining == 0)
    #expect(pair.client.statistics.completed == faults.counts.zeroCopySends)
    #expect(pair.client.statistics.zeroCopySends == faults.counts.zeroCopySends)
    pair.server.setBlocking(false)
    #expect(error { () throws(ZeroCopyError) in try pair.server.readOneByte() }?.code == .wouldBlock)
  }
}

extension SendChances {
  static func random(using random: inout SeededGenerator) -> SendChances {
    func chance() -> Double { [0, 0.1, 0.5].randomElement(using: &random)! }
    return SendChances(
      short: chance(), interrupted: chance(), wouldBlock: chance() / 2, noBufferSpace: chance() / 2)
  }
}

extension NotificationFaults {
  mutating func randomise(using random: inout SeededGenerator) {
    func chance() -> Double { [0, 0, 0.1, 0.5].randomElement(using: &random)! }
    held = [0, 0, 3, 10].randomElement(using: &random)!
    perRead = [.max, .max, 1, 3].randomElement(using: &random)!
    merged = chance()
    split = chance()
    repeated = chance()
    foreign = chance()
    truncated = chance() / 4
    unknown = chance() / 4
  }
}
