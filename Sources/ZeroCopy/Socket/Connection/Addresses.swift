internal import CZeroCopy
internal import SystemPackage

extension Endpoint {
  /// Every socket address that the endpoint stands for, in the system's order.
  ///
  /// Resolving a name waits for the system's resolver, without a bound that could be set here.
  func addresses(passive: Bool) throws(ZeroCopyError) -> [czc_address] {
    // A zero would end the text early in C, and name another host or path.
    guard !description.utf8.contains(0) else {
      throw ZeroCopyError(.invalidEndpoint, "'\(self)' contains a zero byte", isSocketUsable: false)
    }
    switch kind {
    case .internet(let host, let port, let isDatagram):
      var found = [czc_address](repeating: czc_address(), count: 32)
      var code: CInt = 0
      let type = isDatagram ? CZC_DATAGRAM : CZC_STREAM
      // C writes at most `count` addresses and keeps no pointer.
      let count = unsafe found.withUnsafeMutableBufferPointer { buffer in
        unsafe czc_resolve(
          host, port, CInt(type), passive, buffer.baseAddress, CInt(buffer.count), &code)
      }
      guard count > 0 else {
        // A text of the resolver's own, which lives as long as the process.
        let why =
          code == 0 ? "it has no IPv4 or IPv6 address" : unsafe String(cString: czc_resolver_message(code))
        throw ZeroCopyError(
          .unresolvedName, "'\(host)' does not resolve: \(why); check the name and the resolver",
          isSocketUsable: false)
      }
      found.removeLast(found.count - Int(count))
      return found
    case .unix(let path):
      var address = czc_address()
      let result = unsafe czc_unix_address(path, &address)
      guard result == 0 else {
        throw ZeroCopyError(
          .invalidEndpoint,
          path.isEmpty
            ? "the UNIX path is empty"
            : "the path of '\(self)' is longer than the 107 bytes of a UNIX address",
          errno: Errno(rawValue: -result), isSocketUsable: false)
      }
      return [address]
    case .vsock(let cid, let port):
      var address = czc_address()
      let result = unsafe czc_vsock_address(cid, port, &address)
      guard result == 0 else {
        throw ZeroCopyError(
          .invalidEndpoint, "this operating system has no vsock", errno: Errno(rawValue: -result),
          isSocketUsable: false)
      }
      return [address]
    }
  }
}

/// The text that one of C's describing functions writes.
func describe(_ body: (UnsafeMutablePointer<CChar>, Int) -> CInt) -> String {
  let capacity = Int(CZC_ADDRESS_TEXT)
  // C writes at most `capacity` bytes and answers how many.
  return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
    guard let start = buffer.baseAddress else { return "" }
    let count = unsafe body(start, capacity)
    guard count > 0 else { return "" }
    return unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: Int(count)), as: UTF8.self)
  }
}
