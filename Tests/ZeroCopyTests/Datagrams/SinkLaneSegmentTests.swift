import TestSupport
import Testing
import ZeroCopy

/// A device that makes packets of segments itself, as cards do.
extension SinkLaneTests {
  private static let endpoints = ["udp:10.77.0.2:9000", "udp:[fd77::2]:9000"]

  @Test(
    "No send that is cut into segments is copied", arguments: endpoints, [WriteMode.zeroCopy, .automatic])
  func segments(endpoint: String, mode: WriteMode) throws {
    var socket = try ZeroCopySocket.connect(to: endpoint, configuration: Configuration(segmentSize: 1400))
    let memory = UnsafeRawBufferPointer(pinnedBytes(64_400))
    for number in 0..<200 {
      if number % 2 == 0 {
        try socket.writeAll(memory, mode: mode)
      } else {
        try socket.writeAll(memory, mode: mode, segmentSize: 1200)
      }
    }
    // Automatic mode tries both ways.
    let count = socket.statistics.zeroCopySends
    #expect(mode == .zeroCopy ? count == 200 : count > 0)
    #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: count, copied: 0))
  }

  @Test("None of several datagrams in one call is copied", arguments: endpoints, [nil, 1400])
  func several(endpoint: String, segmentSize: Int?) throws {
    var socket = try ZeroCopySocket.connect(to: endpoint)
    let memory = UnsafeRawBufferPointer(pinnedBytes(60_000))
    for _ in 0..<20 {
      let all = Array(repeating: memory, count: 10)
      #expect(try socket.writeDatagrams(all, mode: .zeroCopy, segmentSize: segmentSize) == 10)
    }
    #expect(try socket.flush(timeout: .seconds(20)) == FlushResult(completed: 200, copied: 0))
    #expect(socket.statistics.unknownNotifications == 0)
  }
}
