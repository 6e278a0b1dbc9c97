// A socket that lives in a class, as most long-lived connections do.
import Loopback
import ZeroCopy

/// Not Sendable: the compiler keeps it on one thread, and with it the socket.
final class Uploader {
  private var socket: ZeroCopySocket

  init(to endpoint: String) throws(ZeroCopyError) {
    socket = try ZeroCopySocket.connect(to: endpoint, configuration: Configuration(noDelay: true))
  }

  func upload(_ bytes: [UInt8]) throws(ZeroCopyError) {
    do throws(ZeroCopyError) {
      try socket.writeAndFlush(bytes.span, timeout: .seconds(5))
    } catch {
      // The error says how far it got, and whether there is any use in trying again.
      print("upload failed after \(error.bytesAccepted) bytes, usable: \(error.isSocketUsable): \(error)")
      throw error
    }
  }

  /// close is mutating and not consuming, so that a property can be closed.
  func finish() throws(ZeroCopyError) { try socket.close(timeout: .seconds(5)) }

  var summary: String { "\(socket.statistics)" }
}

let peer = try Peer()
let uploader = try Uploader(to: peer.endpoint)
for size in [1, 1000, 1_000_000] { try uploader.upload([UInt8](repeating: 7, count: size)) }
try uploader.finish()
print(uploader.summary)
try peer.expect(1_001_001)
