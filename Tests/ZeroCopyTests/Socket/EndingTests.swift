import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("Ending")
struct EndingTests {
  @Test(
    "After a half-close from both ends a flush ends when all ids are in, not before, without spinning (rule 14)",
    arguments: Family.withZeroCopy)
  func halfClose(_ family: Family) throws {
    var pair = try Connected(family)
    let accepted = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let sends = pair.client.statistics.zeroCopySends
    try pair.client.finishWriting()
    // The peer shuts its side at once, reads nothing for a while, and then reads everything.
    let peer = pair.serve { socket in
      try socket.finishWriting()
      czc_pause(700_000_000)
      return try socket.readToEnd().count
    }
    let reaps = pair.client.statistics.reaps
    let flushed = try pair.client.flush(timeout: .seconds(20))
    #expect(flushed.completed == sends)
    #expect(flushed.remaining == 0)
    #expect(try peer.value() == accepted)
    // Each wake reads the queue; a loop on poll would have woken half a million times.
    #expect(pair.client.statistics.reaps - reaps < 5000)
  }

  @Test("A flush that waits on a stalled peer ends when the shutdown handle is used, and says so")
  func shutdownHandle() throws {
    try endsFlush { handle, _ in handle.shutDown() }
  }

  @Test("A flush that waits on a stalled peer ends when someone shuts the raw descriptor down")
  func rawShutdown() throws {
    try endsFlush { _, number in _ = shutdown(number, Int32(SHUT_RDWR)) }
  }

  private func endsFlush(_ end: @escaping @Sendable (ShutdownHandle, CInt) -> Void) throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let handle = pair.client.shutdownHandle
    let number = pair.client.fileDescriptor.rawValue
    let stopper = Background {
      czc_pause(400_000_000)
      end(handle, number)
    }
    let cpu = czc_thread_cpu()
    let start = czc_now()
    let failure = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(600)) }
    #expect((czc_thread_cpu() - cpu) * 20 < czc_now() - start)
    try stopper.value()
    #expect(failure?.code == .shutDown)
    #expect((failure?.flushed?.remaining ?? 0) > 0)
    #expect(failure?.isSocketUsable == false)
    // Told once: from now on a flush waits again, for what the peer may still acknowledge.
    let second = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .milliseconds(20)) }
    #expect(second?.code == .timedOut)
    #expect(
      error { () throws(ZeroCopyError) in
        try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(10)), mode: .copy)
      }?.code == .shutDown)
    #expect(pair.client.abort().remaining == 0)
  }

  @Test("A shutdown before the wait begins ends it as well: there is no moment at which it is missed")
  func shutdownBeforeFlush() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    pair.client.shutdownHandle.shutDown()
    pair.client.shutdownHandle.shutDown()
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(600)) }?.code == .shutDown)
    // Both directions are shut, which the wait notices: but that is the same shutdown.
    for _ in 0..<3 {
      let later = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .milliseconds(100)) }
      #expect(later?.code == .timedOut)
    }
    pair.client.abort()
  }

  @Test("A writer and a reader that wait end when the shutdown handle is used")
  func shutdownEndsOthers() throws {
    var pair = try Connected()
    let reading = try pair.client.waitingReader()
    let handle = pair.client.shutdownHandle
    let stopper = Background {
      czc_pause(100_000_000)
      handle.shutDown()
    }
    let memory = UnsafeRawBufferPointer(pinnedBytes(64 << 20))
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .copy) }
    #expect(failure?.code == .shutDown)
    #expect(failure?.bytesAccepted == pair.client.statistics.bytes)
    #expect(try reading.value() == .shutDown)
    try stopper.value()
  }

  @Test("A reset by the peer mid-send: every id is accounted for, and the loss is told once")
  func reset() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let sends = pair.client.statistics.zeroCopySends
    let peer = pair.serve { socket in
      _ = try socket.read(count: 100_000)
      socket.resetOnClose()
    }
    let failure = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(20)) }
    try peer.value()
    #expect(failure?.code == .connectionLost)
    #expect(failure?.flushed?.remaining == 0)
    #expect(failure?.flushed?.completed == sends)
    #expect(failure?.isSocketUsable == false)
    #expect(try pair.client.flush(timeout: .seconds(1)) == FlushResult())
    #expect(
      error { () throws(ZeroCopyError) in
        try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(10)), mode: .zeroCopy)
      }?.code == .connectionLost)
    try pair.client.close(timeout: .seconds(1))
  }

  @Test("A reset that only reap has met is told by the next flush")
  func resetAfterReap() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    try pair.serve { socket in socket.resetOnClose() }.value()
    while pair.client.statistics.inFlight > 0 { try pair.client.reap() }
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(1)) }?.code
        == .connectionLost)
  }

  @Test(
    "A reset is no orderly end for the reader, whoever of the two meets it first", arguments: [true, false])
  func resetAndReader(_ flushFirst: Bool) throws {
    var pair = try Connected()
    var reader = try pair.client.reader()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    try pair.serve { socket in socket.resetOnClose() }.value()
    pair.client.setBlocking(true)
    func flush() -> ZeroCopyError? {
      error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(20)) }
    }
    func read() -> ZeroCopyError? {
      error { () throws(ZeroCopyError) in try reader.readOneByte() }
    }
    let failures = flushFirst ? [flush(), read()] : [read(), flush()]
    #expect(failures.map(\.?.code) == [.connectionLost, .connectionLost])
    #expect(read()?.code == .connectionLost)
  }

  @Test(
    "A peer that closed makes no signal: EPIPE is an error like others (rule 22)", arguments: Family.allCases)
  func noSignal(_ family: Family) throws {
    var pair = try Connected(family)
    try pair.serve { _ in }.value()
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    var failure: ZeroCopyError?
    while failure == nil {
      failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .copy) }
    }
    #expect(failure?.code == .connectionLost)
    #expect(failure?.isSocketUsable == false)
  }

  @Test("finishWriting lets the peer read the end, and reading goes on", arguments: Family.allCases)
  func finishWriting(_ family: Family) throws {
    var pair = try Connected(family)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .automatic)
    try pair.client.finishWriting()
    try pair.client.finishWriting()
    #expect(try pair.server.readToEnd().count == 1000)
    try pair.server.writeAll(UnsafeRawBufferPointer(pinnedBytes(500)), mode: .automatic)
    #expect(try pair.client.read(count: 500).count == 500)
    #expect(
      error { () throws(ZeroCopyError) in
        try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(10)), mode: .copy)
      }?.code == .shutDown)
  }

  @Test("A close that cannot flush leaves the socket open, and can be called again")
  func closeTimesOut() throws {
    var pair = try Connected()
    let accepted = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let failure = error { () throws(ZeroCopyError) in try pair.client.close(timeout: .milliseconds(20)) }
    #expect(failure?.code == .timedOut)
    #expect((failure?.flushed?.remaining ?? 0) > 0)
    #expect(pair.client.fileDescriptor.rawValue >= 0)
    let peer = pair.serve { socket in try socket.readToEnd().count }
    try pair.client.close(timeout: .seconds(20))
    #expect(try peer.value() == accepted)
    #expect(pair.client.fileDescriptor.rawValue == -1)
  }

  @Test("After close every call throws closed, and close and abort do nothing more")
  func closedIsClosed() throws {
    var pair = try Connected()
    var handle: ShutdownHandle { pair.client.shutdownHandle }
    try pair.client.close(timeout: .seconds(1))
    try pair.client.close(timeout: .seconds(1))
    #expect(pair.client.abort() == FlushResult())
    let memory = UnsafeRawBufferPointer(pinnedBytes(10))
    let bytes: [UInt8] = [0]
    let codes = [
      error { () throws(ZeroCopyError) in _ = try pair.client.writev(memory) }?.code,
      error { () throws(ZeroCopyError) in _ = try pair.client.writev([memory]) }?.code,
      error { () throws(ZeroCopyError) in try pair.client.writeAll(memory) }?.code,
      error { () throws(ZeroCopyError) in try pair.client.writeAll([memory]) }?.code,
      error { () throws(ZeroCopyError) in try pair.client.writeAndFlush(bytes.span, timeout: .seconds(1)) }?
        .code,
      error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .zero) }?.code,
      error { () throws(ZeroCopyError) in try pair.client.reap() }?.code,
      error { () throws(ZeroCopyError) in try pair.client.finishWriting() }?.code,
      error { () throws(ZeroCopyError) in _ = try pair.client.relinquish() }?.code,
      error { () throws(ZeroCopyError) in _ = try pair.client.reader() }?.code,
      error { () throws(ZeroCopyError) in try pair.client.readOneByte() }?.code,
    ]
    #expect(codes == Array(repeating: .closed, count: codes.count))
    handle.shutDown()
    #expect(pair.client.localAddress == "")
    #expect(pair.client.peerAddress == "")
  }

  @Test("abort empties the queues: ids come although nobody reads, and the peer sees a reset (rule 25)")
  func abort() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let sends = pair.client.statistics.zeroCopySends
    #expect(pair.client.abort() == FlushResult(completed: sends, copied: pair.client.statistics.copied))
    #expect(pair.client.fileDescriptor.rawValue == -1)
    #expect(error { () throws(ZeroCopyError) in try pair.server.expectEnd() }?.code == .connectionLost)
  }

  @Test("A socket that goes out of scope in flight resets, one with nothing in flight ends in order")
  func outOfScope() throws {
    var inFlight = try Connected()
    _ = try inFlight.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    let first = inFlight.dropClient()
    #expect(
      error { () throws(ZeroCopyError) in
        var socket = first.take()
        try socket.expectEnd()
      }?.code == .connectionLost)

    var idle = try Connected()
    try idle.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .zeroCopy)
    let second = idle.dropClient()
    var socket = second.take()
    #expect(try socket.readToEnd().count == 1000)
  }

  @Test("Closing or aborting the socket ends a reader that waits", arguments: [true, false])
  func endsReader(_ aborts: Bool) throws {
    var pair = try Connected()
    let reading = try pair.client.waitingReader()
    czc_pause(50_000_000)
    if aborts { pair.client.abort() } else { try pair.client.close(timeout: .seconds(1)) }
    #expect(try reading.value() == (aborts ? .connectionLost : .closed))
  }

  @Test("A shutdown ends a flush also where finishWriting was told before")
  func shutdownAfterFinishing() throws {
    var pair = try Connected()
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    try pair.client.finishWriting()
    let byte = UnsafeRawBufferPointer(pinnedBytes(1))
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(byte, mode: .copy) }?.code == .shutDown)
    let handle = pair.client.shutdownHandle
    let stopper = Background {
      czc_pause(100_000_000)
      handle.shutDown()
    }
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(600)) }?.code == .shutDown)
    try stopper.value()
  }

  @Test("A UNIX peer that goes away under a full socket is a loss, and no shutdown of ours")
  func unixPeerGone() throws {
    var pair = try Connected(.unix)
    let peer = pair.serve { _ in czc_pause(50_000_000) }
    let bytes = [UInt8](repeating: 1, count: 8 << 20)
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(bytes.span, timeout: .seconds(600), mode: .copy)
    }
    try peer.value()
    #expect(failure?.code == .connectionLost)
  }

  @Test("A reader never takes a reset for the end, however the writer races with it", arguments: 0..<100)
  func resetRace(_ round: Int) throws {
    var pair = try Connected()
    let reading = try pair.client.waitingReader()
    // A writer that is told of the reset at about the same time.
    let peer = pair.serve { socket in socket.resetOnClose() }
    let byte = UnsafeRawBufferPointer(pinnedBytes(1))
    var failure: ZeroCopyError?
    while failure == nil {
      failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(byte, mode: round % 2 == 0 ? .copy : .zeroCopy)
      }
    }
    try peer.value()
    #expect(failure?.code == .connectionLost)
    #expect(try reading.value() == .connectionLost)
  }

  @Test(
    "A peer that has sent all and closes has sent all, also where it took no more of ours",
    arguments: Family.allCases)
  func peerIsDone(_ family: Family) throws {
    var pair = try Connected(family)
    try pair.server.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .copy)
    try pair.serve { _ in }.value()
    let byte = UnsafeRawBufferPointer(pinnedBytes(1))
    var failure: ZeroCopyError?
    while failure == nil {
      failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(byte, mode: .copy) }
    }
    #expect(failure?.code == .connectionLost)
    #expect(try pair.client.readToEnd().count == 1000)
    #expect(try pair.client.readOneByte() == 0)
  }

  @Test("After a reset finishWriting fails each time")
  func finishAfterReset() throws {
    var pair = try Connected()
    try pair.serve { socket in socket.resetOnClose() }.value()
    while czc_tcp_is_closed(pair.client.fileDescriptor.rawValue) == 0 {}
    for _ in 0..<2 {
      #expect(error { () throws(ZeroCopyError) in try pair.client.finishWriting() }?.code == .connectionLost)
    }
  }
}
