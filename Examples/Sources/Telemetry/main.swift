// What sockets do, as metrics and in a log: by swift-metrics and swift-log, which ZeroCopy itself does not need.
import Logging
import Loopback
import Metrics
import ZeroCopy

/// One for all sockets of the program.
struct Telemetry: SocketObserver {
  private let log = Logger(label: "zerocopy")
  private let bytes = Counter(label: "zerocopy_bytes")
  private let zeroCopyBytes = Counter(label: "zerocopy_bytes_without_copying")
  private let copiedSends = Counter(label: "zerocopy_sends_copied_by_the_kernel")
  private let fallbacks = Counter(label: "zerocopy_fallbacks")
  private let pinnedBytes = Recorder(label: "zerocopy_pinned_bytes")

  func opened(_ availability: Availability, peer: String) {
    log.info("connected to \(peer), zero copy is \(availability)")
  }

  // In sums, and so cheap enough for every connection.
  func progressed(_ since: Statistics, peer: String) {
    bytes.increment(by: since.bytes)
    zeroCopyBytes.increment(by: since.zeroCopyBytes)
    copiedSends.increment(by: since.copied)
    fallbacks.increment(by: since.fallbacks)
    pinnedBytes.record(since.bytesInFlight)
  }

  func decided(_ decision: SendDecision, peer: String) { log.info("\(peer): \(decision)") }
  func fellBack(_ limit: ZeroCopyError, peer: String) { log.warning("\(peer): copying, because \(limit)") }
  func becameUnavailable(_ reason: Availability.Reason, peer: String) { log.warning("\(peer): \(reason)") }
  func lostTrack(peer: String) { log.error("\(peer): somebody else sends on this socket") }
  func ended(_ total: Statistics, peer: String) { log.info("\(peer): \(total)") }
}

func send(to endpoint: String, _ count: Int) throws {
  // Sockets with one configuration share what they find out about the cost of zero copy, too.
  let configuration = Configuration(observer: Telemetry())
  let pool = try BufferPool(bufferSize: 64 << 10, count: 32)
  var socket = try ZeroCopySocket.connect(to: endpoint, configuration: configuration)
  for _ in 0..<count {
    var buffer = try socket.buffer(from: pool, timeout: .seconds(5))
    _ = buffer.append(contentsOf: repeatElement(1, count: buffer.capacity))
    try socket.send(buffer)
  }
  try socket.close(timeout: .seconds(5))
}

// A program would bootstrap the backend that its operators use: Prometheus, StatsD, …
let metrics = CountingMetrics()
MetricsSystem.bootstrap(metrics)

let peer = try Peer()
try send(to: peer.endpoint, 1000)
try peer.expect(1000 << 16)
print("metrics:", metrics.totals)
precondition(metrics.totals["zerocopy_bytes"] == 1000 << 16)
