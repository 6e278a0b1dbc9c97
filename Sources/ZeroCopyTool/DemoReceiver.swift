import Dispatch
import Synchronization
import ZeroCopy

/// Reads a connection to its end and compares every byte, on a thread of its own.
final class DemoReceiver: Sendable {
  struct Result: Sendable {
    var equalBytes = 0
    var failure: String?
  }

  private let result = Mutex(Result())
  private let group = DispatchGroup()

  init(_ peer: Handoff<ZeroCopySocket>, _ payload: Payload) {
    DispatchQueue(label: "receiver").async(group: group) { [self] in
      guard var socket = peer.take() else { return }
      let received = Self.receive(&socket, payload)
      result.withLock { $0 = received }
    }
  }

  /// What arrived, when the stream has ended.
  func wait() -> Result {
    group.wait()
    return result.withLock { $0 }
  }

  private static func receive(_ socket: inout ZeroCopySocket, _ payload: Payload) -> Result {
    var result = Result()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    do {
      while true {
        var span = buffer.mutableSpan
        let count = try socket.read(into: &span)
        if count == 0 { return result }
        let equal = try payload.equalBytes(Array(buffer[..<count]), at: result.equalBytes)
        result.equalBytes += equal
        if equal < count {
          result.failure = "byte \(result.equalBytes) differs"
          return result
        }
      }
    } catch {
      result.failure = "\(error)"
      return result
    }
  }
}
