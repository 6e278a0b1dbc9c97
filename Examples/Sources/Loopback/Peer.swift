import Dispatch
import Synchronization
import ZeroCopy

/// Accepts one connection on loopback and counts the bytes that come, on a thread of its own.
public final class Peer: Sendable {
  /// Where it listens.
  public let endpoint: String

  private let received = Mutex<Result<Int, ZeroCopyError>>(.success(0))
  private let group = DispatchGroup()

  public init() throws(ZeroCopyError) {
    let listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    endpoint = listener.localAddress
    let handoff = Handoff(listener)
    DispatchQueue(label: "peer").async(group: group) { [self] in
      guard var listener = handoff.take() else { return }
      let result = Peer.count(&listener)
      received.withLock { $0 = result }
    }
  }

  /// Waits for the end of the stream; throws where other than so many bytes have come.
  public func expect(_ byteCount: Int) throws {
    group.wait()
    let received = try received.withLock { $0 }.get()
    if received != byteCount { throw Mismatch(expected: byteCount, received: received) }
  }

  private struct Mismatch: Error {
    let expected: Int
    let received: Int
  }

  private static func count(_ listener: inout ZeroCopyListener) -> Result<Int, ZeroCopyError> {
    do throws(ZeroCopyError) {
      var socket = try listener.accept(timeout: .seconds(10))
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      var total = 0
      while true {
        var span = buffer.mutableSpan
        let count = try socket.read(into: &span)
        if count == 0 { return .success(total) }
        total += count
      }
    } catch {
      return .failure(error)
    }
  }
}
