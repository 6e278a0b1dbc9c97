import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("Arguments that make no sense stop no program")
struct ExtremeArgumentTests {
  private static let durations: [Duration] = [
    .seconds(Int64.max), .seconds(Int64.max) + .seconds(1), .seconds(1e19), .seconds(-1e19),
    .seconds(Int64.min),
    .zero, .nanoseconds(-1), Duration(secondsComponent: 0, attosecondsComponent: 1),
  ]

  @Test("A time-out of any length is a time-out", arguments: durations)
  func timeouts(_ duration: Duration) throws {
    var pair = try Connected(
      client: Configuration(
        writeTimeout: duration, readTimeout: duration, acknowledgementTimeout: max(duration, .seconds(20))),
      server: Configuration(writeTimeout: duration))
    try pair.client.flush(timeout: duration)
    let bytes = [UInt8](repeating: 1, count: 100)
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(bytes.span, timeout: duration, mode: .copy)
    }
    #expect(failure == nil)
    #expect(try pair.server.read(count: 100) == bytes)
    let pool = try BufferPool(bufferSize: 100, count: 1, pages: .standard)
    _ = try pair.client.buffer(from: pool, timeout: duration)
    try pair.client.close(timeout: duration)
  }

  @Test(
    "A time-out for connecting and accepting is one, too", arguments: durations.filter { $0 > .seconds(1) })
  func connecting(_ duration: Duration) throws {
    var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    var client = try ZeroCopySocket.connect(
      to: listener.localAddress, configuration: Configuration(connectTimeout: duration))
    var server = try listener.accept(timeout: duration)
    try client.close(timeout: .seconds(1))
    try server.close(timeout: .seconds(1))
  }

  private static let limits: [Configuration] = [
    Configuration(mode: .zeroCopy),
    Configuration(mode: .zeroCopy, budget: SendBudget(maximumBytes: 1 << 30)),
    Configuration(mode: .zeroCopy, budget: SendBudget(maximumBytes: .max, maximumBytesPerSocket: .max)),
    Configuration(mode: .zeroCopy, maximumBytesInFlight: 1 << 30),
    Configuration(mode: .zeroCopy, maximumBytesInFlight: .max),
    Configuration(mode: .automatic),
    Configuration(mode: .copy),
  ]

  @Test(
    "Memory that is longer than any is refused, or taken as far as it goes, in each way",
    arguments: limits.indices,
    [1, 3])
  func sizes(_ limit: Int, _ count: Int) throws {
    var pair = try Connected(client: Self.limits[limit])
    pair.client.setBlocking(false)
    let endless = UnsafeRawBufferPointer(start: pageBeforeNone(), count: .max)
    let failure = error { () throws(ZeroCopyError) in
      for _ in 0..<100 { _ = try pair.client.writev(Array(repeating: endless, count: count)) }
    }
    #expect([.unreadableMemory, .wouldBlock, .system, .inFlightLimit].contains(failure?.code))
    pair.client.abort()
  }

  @Test("So is a datagram of it, alone, with others, and in segments")
  func datagrams() throws {
    var pair = try Datagrams("127.0.0.1", client: Configuration(maximumBytesInFlight: 1 << 20))
    let endless = UnsafeRawBufferPointer(start: pageBeforeNone(), count: .max)
    let refusals: [ZeroCopyError.Code?] = [.messageTooLong, .unreadableMemory]
    for mode in [WriteMode.copy, .zeroCopy, .automatic] {
      let failures = [
        error { () throws(ZeroCopyError) in _ = try pair.client.writev(endless, mode: mode) },
        error { () throws(ZeroCopyError) in _ = try pair.client.writev([endless, endless], mode: mode) },
        error { () throws(ZeroCopyError) in
          _ = try pair.client.writeDatagrams(Array(repeating: endless, count: 9), mode: mode)
        },
        error { () throws(ZeroCopyError) in
          try pair.client.writeAll(endless, mode: mode, segmentSize: 1000)
        },
      ]
      #expect(
        failures.allSatisfy { refusals.contains($0?.code) && $0?.isSocketUsable == true }, "\(failures)")
    }
    for size in [Int.min, -1, 0, 65_536, .max] {
      let failure = error { () throws(ZeroCopyError) in
        try pair.client.writeAll(endless, mode: .copy, segmentSize: size)
      }
      #expect(failure?.code == .invalidArgument)
    }
  }

  @Test("Bounds of any size are bounds", arguments: [Int.min, -1, 0, 1, .max])
  func bounds(_ bound: Int) throws {
    let budget = SendBudget(
      maximumBytes: bound, maximumBytesPerSocket: bound, maximumSendsPerSocket: bound)
    var pair = try Connected(
      client: Configuration(
        sendBufferSize: bound, maximumBytesInFlight: bound, budget: budget, leastRate: bound))
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    for mode in [WriteMode.zeroCopy, .automatic, .copy] {
      try pair.client.writeAll(memory, mode: mode)
      #expect(try pair.server.read(count: 10_000) == Array(memory))
    }
    try pair.client.close(timeout: .seconds(10))
    _ = SendBudget.fittingSystemLimits(maximumBytesPerSocket: bound, maximumSendsPerSocket: bound)
  }

  @Test("A pool of no size, or of more than there is, is refused", arguments: [Int.min, -1, 0, .max])
  func pools(_ number: Int) {
    for pages in [Pages.standard, .huge, .reservedHuge] {
      let expected: [ZeroCopyError.Code] = [.invalidArgument, .outOfMemory]
      let bySize = error { () throws(ZeroCopyError) in
        _ = try BufferPool(bufferSize: number, count: 2, pages: pages)
      }
      let byCount = error { () throws(ZeroCopyError) in
        _ = try BufferPool(bufferSize: 1 << 40, count: number, pages: pages)
      }
      #expect([bySize, byCount].allSatisfy { expected.contains($0?.code ?? .system) })
    }
  }
}

/// A page that can be read, and behind it nothing that can. It stays.
private func pageBeforeNone() -> UnsafeRawPointer? {
  let memory = mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  guard let memory, memory != MAP_FAILED, mprotect(memory + 4096, 4096, PROT_NONE) == 0 else { return nil }
  return UnsafeRawPointer(memory)
}
