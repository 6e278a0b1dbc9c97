import Glibc
import TestSupport

@testable import ZeroCopyTool

/// Greets as a `zerocopy sink` does, and then says what a test wants.
final class FalseSink: Sendable {
  let endpoint: String
  private let serving: Background<Void>

  /// - Parameters:
  ///   - connections: So many are served; then nobody listens any more.
  ///   - told: What it says of the bytes that have come; `nil`: it hangs up instead.
  init(connections: Int, told: @escaping @Sendable (Int) -> Int?) throws {
    let bound = try RawPeer.Bound()
    endpoint = bound.endpoint
    serving = Background {
      var peers: [Background<Void>] = []
      do {
        defer { bound.close() }
        for _ in 0..<connections {
          let peer = try bound.accept()
          peers.append(Background { try Self.serve(peer, told) })
        }
      }
      for peer in peers { try peer.value() }
    }
  }

  /// Waits until all are served.
  func wait() throws { try serving.value() }

  private static func serve(_ peer: CInt, _ told: (Int) -> Int?) throws {
    defer { close(peer) }
    var message = [UInt8](repeating: 0, count: Greeting.size)
    guard recv(peer, &message, message.count, CInt(MSG_WAITALL)) == message.count,
      let hello = Greeting(message)
    else { return }
    try RawPeer.send(Greeting(.welcome, nonce: hello.nonce).message, to: peer)
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    var bytes = 0
    while true {
      let count = recv(peer, &buffer, buffer.count, 0)
      if count <= 0 { break }
      bytes += count
    }
    // Who only wanted to know whether zero copy is there has gone.
    if let told = told(bytes), bytes > 0 {
      try RawPeer.send(Greeting(.soMuch, nonce: hello.nonce, bytes: told).message, to: peer)
    }
  }
}
