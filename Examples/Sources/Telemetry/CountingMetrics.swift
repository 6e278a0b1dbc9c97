import CoreMetrics
import Synchronization

/// A metrics backend of a few lines, which adds up what is counted.
final class CountingMetrics: MetricsFactory {
  private final class Total: CounterHandler, RecorderHandler {
    private let value = Atomic<Int64>(0)
    var total: Int64 { value.load(ordering: .relaxed) }

    func increment(by amount: Int64) { value.add(amount, ordering: .relaxed) }
    func reset() { value.store(0, ordering: .relaxed) }
    func record(_ value: Int64) { self.value.store(value, ordering: .relaxed) }
    func record(_ value: Double) { record(Int64(value)) }
  }

  private let all = Mutex<[String: Total]>([:])

  /// The sum of each counter, and the last value of each recorder.
  var totals: [String: Int64] { all.withLock { $0.mapValues(\.total) } }

  private func total(_ label: String) -> Total {
    all.withLock { all in
      let total = all[label] ?? Total()
      all[label] = total
      return total
    }
  }

  func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { total(label) }
  func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    total(label)
  }
  func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    NOOPMetricsHandler.instance
  }
  func destroyCounter(_ handler: any CounterHandler) {}
  func destroyRecorder(_ handler: any RecorderHandler) {}
  func destroyTimer(_ handler: any TimerHandler) {}
}
