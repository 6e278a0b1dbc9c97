import SystemPackage
import TestSupport
import Testing
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

@Suite("Counts and reasons in words")
struct DescriptionTests {
  @Test("A flush says what was confirmed, and the statistics what was sent")
  func counts() throws {
    var pair = try Connected()
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    try pair.client.writeAll(memory, mode: .copy)
    let flushed = try pair.client.flush(timeout: .seconds(10))
    #expect(flushed.description == "completed 1, of these copied 1, remaining 0")
    #expect(
      pair.client.statistics.description == "sends 2 (2000 bytes), zero-copy 1 (1000 bytes), completed 1,"
        + " copied 1, in flight 0 (0 bytes), fallbacks 0")
  }

  @Test("Messages that are no notifications are counted in words too")
  func rareEvents() throws {
    var pair = try Connected()
    // The driver's time stamp of each send, by software.
    pair.client.setOption(SOL_SOCKET, Option.timestamping, 1 << 1 | 1 << 4)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(1000)), mode: .zeroCopy)
    try pair.client.flush(timeout: .seconds(10))
    let statistics = pair.client.statistics
    try #require(statistics.foreignMessages > 0)
    #expect(statistics.description.hasSuffix(", foreign messages \(statistics.foreignMessages)"))
  }

  @Test("Each reason has words of its own")
  func reasons() {
    let reasons: [Availability.Reason] = [
      .platform, .switchedOff, .unixSocket, .vsock, .protocolFamily, .upperLayerProtocol, .earlierSends,
      .optionSwitchedOff, .refused(.permissionDenied),
    ]
    #expect(Set(reasons.map(\.description)).count == reasons.count)
    #expect(Availability.Reason.refused(.noFunction) == .platform)
  }
}
