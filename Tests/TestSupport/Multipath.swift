import Glibc
import SystemPackage

/// TCP over several paths (MPTCP): sockets that the library does not make, and takes.
public enum Multipath {
  private static var protocolNumber: CInt { 262 }

  public static var exists: Bool {
    let number = make()
    if number >= 0 { close(number) }
    return number >= 0
  }

  private static func make() -> CInt { socket(AF_INET, CInt(SOCK_STREAM.rawValue), protocolNumber) }

  /// Both ends of a connection, to be adopted.
  public static func connect() throws -> (client: FileDescriptor, server: FileDescriptor) {
    let (listening, connecting) = (make(), make())
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let accepted = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        guard bind(listening, name, size) == 0, listen(listening, 1) == 0,
          getsockname(listening, name, &size) == 0,
          Glibc.connect(connecting, name, size) == 0
        else { return CInt(-1) }
        return accept(listening, nil, nil)
      }
    }
    guard accepted >= 0 else { throw SystemFailure(call: "connecting over MPTCP", errno: errno) }
    close(listening)
    return (FileDescriptor(rawValue: connecting), FileDescriptor(rawValue: accepted))
  }
}
