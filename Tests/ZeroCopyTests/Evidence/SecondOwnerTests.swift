import Glibc
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// Somebody who has the descriptor as well, and does with it what he is asked not to do.
@Suite("A second owner of a descriptor")
struct SecondOwnerTests {
  @Test(
    "The id of a datagram that he has sent releases none of ours",
    .enabled(if: mayMakeNetworks, "needs root, for a network of its own"))
  func sendsDatagrams() throws {
    try onOwnThread {
      try enterNewNetwork(SlowClass.script)
      let inbox = try Inbox()
      let pool = try BufferPool(bufferSize: 20_000, count: 2, pages: .standard)
      var client = try ZeroCopySocket.connect(
        to: "udp:127.0.0.1:\(inbox.port)", configuration: Configuration(mode: .zeroCopy))
      let twin = client.fileDescriptor
      // Uses up what the slow class may send at once.
      client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.slow)
      try client.send(pool.filled(), mode: .copy)
      client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.fast)
      #expect(rawZeroCopySend(twin, UnsafeRawBufferPointer(pinnedBytes(100))) == 100)
      client.setOption(SOL_SOCKET, SO_PRIORITY, SlowClass.slow)
      try client.send(pool.filled(from: 1))
      for _ in 0..<10 {
        try client.reap()
        pool.scribbleOverAllFree()
        usleep(3_000)
      }
      var ours = 0
      for _ in 0..<3 {
        let bytes = try inbox.read()
        if bytes.count == 100 { continue }
        let isOurs = bytes.withUnsafeBytes { memory in
          (0..<2).contains { Pattern().firstFault(in: memory, at: $0) == nil }
        }
        #expect(isOurs, "bytes of somebody else's were sent")
        ours += 1
      }
      #expect(ours == 2)
      #expect(try client.flush(timeout: .seconds(20)).remaining == 0)
      #expect(pool.statistics.free == 2)
    }
  }

  @Test("What he reads off the error queue is settled, and from then on all are copied")
  func readsTheQueue() throws {
    let hears = Reasons()
    var pair = try Connected(client: Configuration(observer: hears))
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    _ = try pair.server.read(count: 10_000)
    // The acknowledgement is in by the time that an answer is.
    try pair.server.writeAll(memory, mode: .copy)
    _ = try pair.client.read(count: 10_000)
    drainErrorQueue(pair.client.fileDescriptor)
    #expect(try pair.client.flush(timeout: .seconds(20)).completed == 1)
    #expect(pair.client.statistics.settled == 1)
    #expect(hears.all == [.neverNotified])
    try pair.client.writeAll(memory, mode: .automatic)
    #expect(pair.client.statistics.zeroCopySends == 1)
  }
}

/// A UDP socket that takes datagrams from anybody on this machine.
private struct Inbox: ~Copyable {
  private let number: CInt
  let port: UInt16

  init() throws {
    number = socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    let number = number
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(number, $0, size) == 0 && getsockname(number, $0, &size) == 0
      }
    }
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    port = UInt16(bigEndian: address.sin_port)
    guard isBound else { throw SystemFailure(call: "binding an inbox", errno: errno) }
  }

  deinit { close(number) }

  func read() throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = recv(number, &bytes, bytes.count, 0)
    guard count >= 0 else { throw SystemFailure(call: "reading an inbox", errno: errno) }
    return Array(bytes[..<count])
  }
}
