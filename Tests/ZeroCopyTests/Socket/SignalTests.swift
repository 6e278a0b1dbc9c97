import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

/// Calls that wait go on after a signal, and keep their bound.
@Suite("Signals")
struct SignalTests {
  @Test(
    "A write that is interrupted again and again loses nothing",
    .enabled(if: mayLockFreely, "needs CAP_IPC_LOCK, or more locked memory"),
    arguments: [WriteMode.zeroCopy, .copy])
  func write(_ mode: WriteMode) throws {
    var pair = try Connected()
    let memory = pinnedBytes(24 << 20)
    let peer = pair.serve { socket in
      czc_pause(50_000_000)
      return try socket.read(count: 24 << 20)
    }
    let storm = SignalStorm()
    defer { _ = try? storm.end() }
    try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: mode)
    try pair.client.flush(timeout: .seconds(20))
    #expect(try storm.end() > 0)
    #expect(areEqual(try peer.value(), Array(memory)))
  }

  @Test("A storm of signals does not put off the time-out of a write to a stalled peer")
  func writeTimesOut() throws {
    var pair = try Connected(client: Configuration(writeTimeout: .milliseconds(100)))
    let storm = SignalStorm()
    defer { _ = try? storm.end() }
    let memory = UnsafeRawBufferPointer(pinnedBytes(64 << 20))
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .copy) }?.code == .timedOut)
  }

  @Test("Nor that of a read, a flush, an accept or a connect")
  func others() throws {
    var pair = try Connected(client: Configuration(readTimeout: .milliseconds(50)))
    var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    _ = try pair.client.fill(with: UnsafeRawBufferPointer(pinnedBytes(64 << 10)), mode: .zeroCopy)
    pair.client.setBlocking(true)
    let storm = SignalStorm()
    defer { _ = try? storm.end() }
    #expect(error { () throws(ZeroCopyError) in try pair.client.readOneByte() }?.code == .timedOut)
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .milliseconds(50)) }?.code
        == .timedOut)
    #expect(
      error { () throws(ZeroCopyError) in _ = try listener.accept(timeout: .milliseconds(50)) }?.code
        == .timedOut)
    let connected = try ZeroCopySocket.connect(to: listener.localAddress)
    #expect(connected.availability.isAvailable)
  }

  @Test(
    "Writing to a connection that the peer has ended raises no SIGPIPE (rule 22)", arguments: Family.allCases)
  func brokenPipe(_ family: Family) throws {
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for mode in [WriteMode.automatic, .zeroCopy, .copy] where family != .unix || mode != .zeroCopy {
      var pair = try Connected(family)
      pair.server.abort()
      let raised = raises(SIGPIPE) {
        // The first may find the reset, the next find a broken pipe.
        for _ in 0..<3 {
          _ = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: mode) }
        }
      }
      #expect(!raised)
    }
  }
}
