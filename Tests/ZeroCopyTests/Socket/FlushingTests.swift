import CZeroCopy
import TestSupport
import Testing
import ZeroCopy

@Suite("Flushing")
struct FlushingTests {
  @Test("An idle flush returns zeros at once", arguments: Family.allCases)
  func idle(_ family: Family) throws {
    var pair = try Connected(family)
    #expect(try pair.client.flush(timeout: .seconds(100)) == FlushResult())
    #expect(try pair.client.reap() == 0)
  }

  @Test("On loopback the kernel reports every send as copied (rule 21)", arguments: Family.withZeroCopy)
  func copied(_ family: Family) throws {
    var pair = try Connected(family)
    let memory = pinnedBytes(100_000)
    for _ in 0..<10 { try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy) }
    _ = try pair.server.read(count: 1_000_000)
    let flushed = try pair.client.flush(timeout: .seconds(10))
    #expect(flushed == FlushResult(completed: 10, copied: 10))
    #expect(flushed.allCopied)
  }

  @Test("completed counts the sends since the last flush, those that a write reaped included")
  func countsWhatWritesReaped() throws {
    var pair = try Connected()
    let memory = UnsafeRawBufferPointer(pinnedBytes(100))
    for _ in 0..<200 {
      try pair.client.writeAll(memory, mode: .zeroCopy)
      _ = try pair.server.read(count: 100)
    }
    #expect(pair.client.statistics.reaps > 0)
    #expect(pair.client.statistics.completed > 0)
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 200)
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 0)
    try pair.client.writeAll(memory, mode: .zeroCopy)
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 1)
  }

  @Test("reap never waits, and what it released counts in the next flush")
  func reap() throws {
    var pair = try Connected()
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    let accepted = try pair.client.fill(with: memory, mode: .zeroCopy)
    let sends = pair.client.statistics.zeroCopySends
    // Nobody reads: most of it cannot be acknowledged, and reap comes back all the same.
    try pair.client.reap()
    #expect(pair.client.statistics.inFlight > 0)
    _ = try pair.server.read(count: accepted)
    while pair.client.statistics.inFlight > 0 { try pair.client.reap() }
    #expect(try pair.client.flush(timeout: .zero).completed == sends)
  }

  @Test("A flush whose time is up says what was done and what remains, and the next one goes on")
  func timesOut() throws {
    var pair = try Connected()
    let memory = UnsafeRawBufferPointer(pinnedBytes(64 << 10))
    let accepted = try pair.client.fill(with: memory, mode: .zeroCopy)
    let sends = pair.client.statistics.zeroCopySends
    let failure = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .milliseconds(30)) }
    #expect(failure?.code == .timedOut)
    #expect(failure?.isSocketUsable == true)
    let flushed = failure?.flushed ?? FlushResult()
    #expect(flushed.remaining > 0)
    #expect(flushed.completed + flushed.remaining == sends)
    #expect(pair.client.statistics.inFlight == flushed.remaining)
    let reader = pair.serve { socket in try socket.read(count: accepted).count }
    #expect(try pair.client.flush(timeout: .seconds(20)).completed == flushed.remaining)
    #expect(try reader.value() == accepted)
  }

  @Test("A flush with a time-out of nothing is a look", arguments: [Duration.zero, .seconds(-1)])
  func noTime(_ timeout: Duration) throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    #expect(error { () throws(ZeroCopyError) in try pair.client.flush(timeout: timeout) }?.code == .timedOut)
  }

  @Test("A flush that waits for a stalled peer uses next to no processor")
  func doesNotSpin() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let cpu = czc_thread_cpu()
    let start = czc_now()
    #expect(error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .milliseconds(1200)) } != nil)
    #expect((czc_thread_cpu() - cpu) * 20 < czc_now() - start)
  }

  @Test("Time stamps on the error queue are counted and do not hide notifications (rules 11, 12)")
  func timestamps() throws {
    var pair = try Connected()
    // SO_TIMESTAMPING with software transmit stamps and their ids, and stamps at acknowledgement.
    pair.client.setOption(1, Option.timestamping, 1 << 1 | 1 << 4 | 1 << 7 | 1 << 9)
    let memory = UnsafeRawBufferPointer(pinnedBytes(20_000))
    for _ in 0..<100 {
      try pair.client.writeAll(memory, mode: .zeroCopy)
      _ = try pair.server.read(count: 20_000)
    }
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 100)
    #expect(pair.client.statistics.foreignMessages > 0)
    #expect(pair.client.statistics.truncatedMessages == 0)
  }

  @Test("Sends whose notifications can never come are settled by the kernel's own count (rules 19, 31)")
  func settles() throws {
    var pair = try Connected()
    // Somebody with the descriptor switches zero copy off: the flag copies in silence from then on.
    pair.client.setOption(1, Option.zeroCopy, 0)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .zeroCopy)
    #expect(pair.client.statistics.inFlight == 1)
    _ = try pair.server.read(count: 1000)
    let flushed = try pair.client.flush(timeout: .seconds(20))
    #expect(flushed.remaining == 0)
    #expect(pair.client.statistics.settled == 1)
  }

  @Test("Waiting for one send's memory leaves the later ones in flight and the flush's counts alone")
  func waitsForOne() throws {
    var pair = try Connected()
    let memory = UnsafeRawBufferPointer(pinnedBytes(300_000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    let behindFirst = pair.client.nextSend
    _ = try pair.server.read(count: memory.count)
    try pair.client.waitForRelease(before: behindFirst, timeout: .seconds(10))
    #expect(pair.client.statistics.completed == Int(behindFirst))
    _ = try pair.client.fill(with: memory, mode: .zeroCopy)
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.waitForRelease(before: pair.client.nextSend, timeout: .milliseconds(20))
    }
    #expect(failure?.code == .timedOut)
    try pair.client.waitForRelease(before: behindFirst, timeout: .zero)
  }
}
