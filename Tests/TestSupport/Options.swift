import SystemPackage
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension ZeroCopySocket {
  public func setBlocking(_ isBlocking: Bool) {
    let number = fileDescriptor.rawValue
    let flags = fcntl(number, F_GETFL)
    _ = fcntl(number, F_SETFL, isBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK)
  }

  /// setsockopt(2) with a number.
  public func setOption(_ level: CInt, _ name: CInt, _ value: CInt) {
    var value = value
    _ = setsockopt(fileDescriptor.rawValue, level, name, &value, socklen_t(MemoryLayout<CInt>.size))
  }

  /// getsockopt(2) of a number.
  public func option(_ level: CInt, _ name: CInt) -> CInt {
    var value: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    _ = getsockopt(fileDescriptor.rawValue, level, name, &value, &size)
    return value
  }

  /// Makes the next close a reset.
  public func resetOnClose() {
    var value = linger(l_onoff: 1, l_linger: 0)
    _ = setsockopt(
      fileDescriptor.rawValue, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }
}

/// Numbers that Glibc's module does not name.
public enum Option {
  public static let zeroCopy: CInt = 60
  public static let sendBufferForce: CInt = 32
  public static let timestamping: CInt = 37
  public static let attachFilter: CInt = 26
}
