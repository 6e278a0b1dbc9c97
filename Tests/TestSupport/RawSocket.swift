import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A zero-copy send by the bare system call: what an earlier owner of a descriptor did.
/// - Returns: The bytes accepted, or -errno.
public func rawZeroCopySend(_ descriptor: FileDescriptor, _ memory: UnsafeRawBufferPointer) -> Int {
  var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: memory.baseAddress), iov_len: memory.count)
  let zeroCopy: CInt = 0x400_0000
  let result = withUnsafeMutablePointer(to: &piece) {
    var message = msghdr()
    message.msg_iov = $0
    message.msg_iovlen = 1
    return sendmsg(descriptor.rawValue, &message, zeroCopy | CInt(MSG_NOSIGNAL))
  }
  return result < 0 ? -Int(errno) : result
}

/// Reads the error queue to its end, as an earlier owner may have done.
public func drainErrorQueue(_ descriptor: FileDescriptor) {
  var control = [UInt8](repeating: 0, count: 512)
  control.withUnsafeMutableBytes { control in
    var message = msghdr()
    repeat {
      message.msg_control = control.baseAddress
      message.msg_controllen = control.count
    } while recvmsg(descriptor.rawValue, &message, CInt(MSG_ERRQUEUE | MSG_DONTWAIT)) >= 0
  }
}

/// Open descriptors of a kind that nobody can send with.
public enum OddDescriptor: String, Sendable, CaseIterable {
  case closed, file, listening, unconnected, raw

  public func make() -> FileDescriptor {
    switch self {
    case .closed:
      // Far above what a test opens, so that nobody else gets it meanwhile.
      return FileDescriptor(rawValue: 987_654)
    case .file: return FileDescriptor(rawValue: open("/dev/null", O_RDWR | O_CLOEXEC))
    case .listening:
      let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
      listen(number, 1)
      return FileDescriptor(rawValue: number)
    case .unconnected: return FileDescriptor(rawValue: socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0))
    case .raw: return FileDescriptor(rawValue: socket(AF_NETLINK, CInt(SOCK_RAW.rawValue), 0))
    }
  }
}
