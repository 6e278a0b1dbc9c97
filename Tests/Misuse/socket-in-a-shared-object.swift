import Synchronization
import ZeroCopy

private final class Shared: Sendable {
  #if MISUSE
    // error: stored property 'socket' of 'Sendable'-conforming class 'Shared' is mutable
    var socket: ZeroCopySocket
  #else
    let socket: Mutex<ZeroCopySocket>
  #endif

  init(_ socket: consuming ZeroCopySocket) {
    #if MISUSE
      self.socket = socket
    #else
      self.socket = Mutex(socket)
    #endif
  }
}
