import Synchronization
import TestSupport
import Testing
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Writes down what it hears.
private final class Recorder: SocketObserver {
  struct Heard {
    var opened: [Availability] = []
    var peers: Set<String> = []
    var progress: [Statistics] = []
    var decisions: [SendDecision] = []
    var limits: [ZeroCopyError.Code] = []
    var reasons: [Availability.Reason] = []
    var lost = 0
    var totals: [Statistics] = []
  }

  private let state = Mutex(Heard())
  var heard: Heard { state.withLock { $0 } }

  private func note(_ peer: String, _ change: (inout Heard) -> Void) {
    state.withLock {
      $0.peers.insert(peer)
      change(&$0)
    }
  }

  func opened(_ availability: Availability, peer: String) { note(peer) { $0.opened.append(availability) } }
  func progressed(_ since: Statistics, peer: String) { note(peer) { $0.progress.append(since) } }
  func decided(_ decision: SendDecision, peer: String) { note(peer) { $0.decisions.append(decision) } }
  func fellBack(_ limit: ZeroCopyError, peer: String) { note(peer) { $0.limits.append(limit.code) } }
  func becameUnavailable(_ reason: Availability.Reason, peer: String) {
    note(peer) { $0.reasons.append(reason) }
  }
  func lostTrack(peer: String) { note(peer) { $0.lost += 1 } }
  func ended(_ total: Statistics, peer: String) { note(peer) { $0.totals.append(total) } }
}

/// Hears nothing: all has a default.
private struct Deaf: SocketObserver {}

@Suite("An observer")
struct ObserverTests {
  @Test("It is told of the beginning, of what was done in sums that add up, and of the end")
  func wholeLife() throws {
    let recorder = Recorder()
    var pair = try Connected(client: Configuration(mode: .zeroCopy, observer: recorder))
    let peer = pair.serve { socket in try socket.readToEnd().count }
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    let address = pair.client.peerAddress
    for _ in 0..<200 { try pair.client.writeAll(memory) }
    try pair.client.flush(timeout: .seconds(20))
    #expect(recorder.heard.totals.isEmpty)
    try pair.client.writeAll(memory, mode: .copy)
    try pair.client.finishWriting()
    try pair.client.close(timeout: .seconds(20))
    #expect(try peer.value() == 2_010_000)

    let heard = recorder.heard
    #expect(heard.opened == [.available])
    #expect(heard.peers == [address])
    #expect(heard.totals.count == 1)
    let total = try #require(heard.totals.first)
    #expect(total.bytes == 2_010_000 && total.sends == 201 && total.completed == 200)
    #expect(heard.progress.count < 100)
    for count in [\Statistics.sends, \.bytes, \.zeroCopySends, \.completed, \.copied, \.reaps] {
      #expect(heard.progress.map { $0[keyPath: count] }.reduce(0, +) == total[keyPath: count])
    }
    #expect(heard.progress.last?.inFlight == 0)
  }

  @Test("It is told once of a limit that makes automatic mode copy")
  func limit() throws {
    let recorder = Recorder()
    var pair = try Connected(
      client: Configuration(maximumBytesInFlight: 1, observer: recorder))
    let memory = UnsafeRawBufferPointer(pinnedBytes(longSend))
    pair.client.setBlocking(false)
    // The first is in flight as long as nobody reads, and leaves little room, or none.
    for _ in 0..<4 {
      let failure = error { () throws(ZeroCopyError) in _ = try pair.client.writev(memory) }
      #expect(failure == nil || failure?.code == .wouldBlock)
    }
    let sent = pair.client.statistics.bytes
    #expect(pair.client.statistics.fallbacks == 3)
    #expect(recorder.heard.limits == [.inFlightLimit])
    let peer = pair.serve { socket in try socket.readToEnd().count }
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(20))
    #expect(try peer.value() == sent)
  }

  @Test("It is told again when it is another limit")
  func otherLimit() throws {
    let recorder = Recorder()
    var pair = try Connected(client: Configuration(maximumBytesInFlight: 1, observer: recorder))
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = UnsafeRawBufferPointer(pinnedBytes(longSend))
    pair.client.setBlocking(false)
    for _ in 0..<3 {
      let failure = error { () throws(ZeroCopyError) in _ = try pair.client.writev(memory) }
      #expect(failure == nil || failure?.code == .wouldBlock)
    }
    #expect(recorder.heard.limits == [.inFlightLimit])
    let sent = pair.client.statistics.bytes
    let peer = pair.serve { socket in try socket.readToEnd().count }
    try pair.client.flush(timeout: .seconds(20))
    pair.client.setBlocking(true)
    faults.failSends(with: .noBufferSpace)
    try pair.client.writeAll(memory)
    #expect(recorder.heard.limits.count == 2)
    // Which of the kernel's limits it is depends on who runs the tests.
    #expect([.lockedMemoryLimit, .system].contains(recorder.heard.limits.last))
    try pair.client.close(timeout: .seconds(20))
    #expect(try peer.value() == sent + longSend)
  }

  @Test("It is told once that somebody else's notifications come on the socket")
  func lostTrack() throws {
    let recorder = Recorder()
    var pair = try Connected(client: Configuration(mode: .zeroCopy, observer: recorder))
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.inject(first: 77, last: 78)
    faults.inject(first: 80, last: 80)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)))
    #expect(try pair.server.read(count: 1000).count == 1000)
    try pair.client.flush(timeout: .seconds(20))
    #expect(recorder.heard.lost == 1)
    #expect(pair.client.statistics.unknownNotifications > 0)
  }

  @Test(
    "It is told of what is copied, too, and not only at the end", arguments: [Family.ipv4, .unix],
    [WriteMode.copy, .automatic])
  func copying(_ family: Family, _ mode: WriteMode) throws {
    let recorder = Recorder()
    var pair = try Connected(family, client: Configuration(mode: mode, observer: recorder))
    let peer = pair.serve { socket in try socket.readToEnd().count }
    // Below a page nothing else is tried.
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for _ in 0..<200 { try pair.client.writeAll(memory) }
    #expect((2...10).contains(recorder.heard.progress.count))
    try pair.client.close(timeout: .seconds(20))
    #expect(try peer.value() == 200_000)
    #expect(recorder.heard.progress.map(\.sends).reduce(0, +) == pair.client.statistics.sends)
    #expect(recorder.heard.progress.map(\.bytes).reduce(0, +) == 200_000)
  }

  @Test("Of several datagrams a call, too")
  func copyingDatagrams() throws {
    let recorder = Recorder()
    var pair = try Datagrams("127.0.0.1", client: Configuration(mode: .copy, observer: recorder))
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for _ in 0..<20 {
      #expect(try pair.client.writeDatagrams([UnsafeRawBufferPointer](repeating: memory, count: 10)) == 10)
      for _ in 0..<10 { try pair.server.expectDatagram(memory) }
    }
    #expect((2...10).contains(recorder.heard.progress.count))
  }

  @Test("It is told that zero copy has gone, and why")
  func unavailable() throws {
    let recorder = Recorder()
    var pair = try Connected(client: Configuration(mode: .zeroCopy, observer: recorder))
    pair.client.setOption(SOL_SOCKET, SO_ZEROCOPY, 0)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)))
    try pair.client.flush(timeout: .seconds(20))
    #expect(recorder.heard.reasons == [.optionSwitchedOff])
    #expect(try pair.server.read(count: 1000).count == 1000)
  }

  @Test("It is told what automatic mode decides, in words too")
  func decided() throws {
    let recorder = Recorder()
    var pair = try Datagrams("127.0.0.1", client: Configuration(observer: recorder))
    let memory = UnsafeRawBufferPointer(pinnedBytes(16_384))
    // The sooner, the further the two ways are apart; and a limit, or another thread in between, begins it anew.
    for _ in 0..<10_000 where recorder.heard.decisions.isEmpty {
      try pair.client.writeAll(memory)
      try pair.server.expectDatagram(memory)
    }
    let decision = try #require(recorder.heard.decisions.first)
    #expect(decision.sizes == 16_384..<24_576)
    #expect([.measured, .equal].contains(decision.reason))
    #expect(decision.description.contains("16384..<24576 bytes: "))
    #expect(decision.description.contains(" s of processor time a GiB"))
    #expect(pair.client.decisions.map(\.sizes) == [16_384..<24_576])
    #expect((decision.costOfCopying ?? 0) > 0 && (decision.costOfZeroCopy ?? 0) > 0)
  }

  @Test("One that hears nothing is no hindrance, and a socket that is dropped tells its end")
  func dropped() throws {
    let recorder = Recorder()
    for observer in [Deaf(), recorder] as [any SocketObserver] {
      let pair = try Connected(client: Configuration(observer: observer))
      _ = pair.dropClient()
    }
    #expect(recorder.heard.totals.count == 1)
  }
}
