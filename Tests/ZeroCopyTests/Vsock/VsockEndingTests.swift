import CTestSupport
import SystemPackage
import TestSupport
import Testing
import ZeroCopy

@Suite("vsock: a peer that does not read, or has gone", .vsockZeroCopy)
struct VsockEndingTests {
  @Test("No wait for one that never reads is without a bound, and nothing is released")
  func neverReads() throws {
    let pool = try BufferPool(bufferSize: 64 << 10, count: 2, pages: .standard)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy, writeTimeout: .milliseconds(100)))
    for _ in 0..<2 { try pair.client.send(pool.filled()) }
    let memory = UnsafeRawBufferPointer(pinnedBytes(1 << 20))
    let short = Duration.milliseconds(50)
    #expect(error { () throws(ZeroCopyError) in try pair.client.flush(timeout: short) }?.code == .timedOut)
    #expect(
      error { () throws(ZeroCopyError) in _ = try pair.client.buffer(from: pool, timeout: short) }?.code
        == .timedOut)
    #expect(
      error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }?.code
        == .timedOut)
    let lent = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush(memory.bytes, timeout: short, mode: .automatic)
    }
    #expect(lent?.code == .timedOut)
    #expect(pair.client.statistics.completed == 0 && pool.statistics.free == 0)
    let end = error { () throws(ZeroCopyError) in try pair.client.close(timeout: short) }
    #expect(end?.code == .timedOut && end?.flushed?.remaining == pair.client.statistics.inFlight)
    #expect(pair.client.abort().remaining > 0)
  }

  @Test("After abort it still gets the right bytes, and the buffers come back with other pages (rule 26)")
  func abort() throws {
    let pool = try BufferPool(bufferSize: 64 << 10, count: 2, pages: .standard)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy))
    for index in 0..<2 { try pair.client.send(pool.filled(from: index << 16)) }
    #expect(pair.client.abort().remaining == 2)
    #expect(pair.client.statistics.quarantined == 2 && pool.statistics.quarantined == 2)
    #expect(pool.scribbleOverAllFree() == 2)
    let (byteCount, wrongAt) = try pair.server.readPattern()
    #expect(byteCount == 2 << 16 && wrongAt == nil)
  }

  @Test("So it is where the socket goes out of scope")
  func dropped() throws {
    let pool = try BufferPool(bufferSize: 64 << 10, count: 2, pages: .standard)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy))
    for index in 0..<2 { try pair.client.send(pool.filled(from: index << 16)) }
    var server = pair.dropClient().take()
    #expect(pool.scribbleOverAllFree() == 2)
    #expect(pool.statistics.quarantined == 2)
    let (byteCount, wrongAt) = try server.readPattern()
    #expect(byteCount == 2 << 16 && wrongAt == nil)
  }

  @Test("With the rest of a buffer it reads the part that was accepted, and then the end: vsock has no reset")
  func droppedWithRest() throws {
    let pool = try BufferPool(bufferSize: 1 << 20, count: 1, pages: .standard)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy))
    let isTaken = try pair.client.trySend(pool.filled()).isNone
    #expect(isTaken)
    let accepted = pair.client.statistics.bytes
    #expect((1..<pool.bufferSize).contains(accepted))
    var server = pair.dropClient().take()
    #expect(pool.scribbleOverAllFree() == 1)
    let (byteCount, wrongAt) = try server.readPattern()
    #expect(byteCount == accepted && wrongAt == nil)
  }

  @Test("One that goes with everything unread gives the memory back, and the next write says so")
  func gone() throws {
    let pool = try BufferPool(bufferSize: 64 << 10, count: 2, pages: .standard)
    var pair = try Connected.onVsock(client: Configuration(mode: .zeroCopy))
    for _ in 0..<2 { try pair.client.send(pool.filled()) }
    try pair.server.close(timeout: .seconds(60))
    let result = try pair.client.flush(timeout: .seconds(60))
    #expect(result.completed == 2 && result.remaining == 0)
    #expect(pool.statistics.free == 2 && pool.statistics.quarantined == 0)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1_000))
    let lost = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
    #expect(lost?.code == .connectionLost && lost?.isSocketUsable == false)
  }

  @Test("A shutdown from elsewhere ends a flush, and what is in flight stays held")
  func shutDown() throws {
    var pair = try Connected.onVsock()
    let memory = UnsafeRawBufferPointer(pinnedBytes(10_000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    pair.client.shutdownHandle.shutDown()
    let end = error { () throws(ZeroCopyError) in try pair.client.flush(timeout: .seconds(60)) }
    #expect(end?.code == .shutDown && end?.flushed?.remaining == 1)
    #expect(try pair.server.read(count: memory.count).elementsEqual(memory))
    #expect(try pair.client.flush(timeout: .seconds(60)).completed == 1)
  }

  @Test("Notification memory that is used up is told, and automatic mode copies (rules 5, 17)")
  func notificationMemory() throws {
    var pair = try Connected.onVsock()
    pair.client.setBlocking(false)
    let memory = UnsafeRawBufferPointer(pinnedBytes(200))
    // Below the peer's credit by far.
    let full = error { () throws(ZeroCopyError) in
      for _ in 0..<1_000 { try pair.client.writeAll(memory, mode: .zeroCopy) }
    }
    #expect(full?.code == .notificationMemoryLimit)
    let sends = pair.client.statistics.zeroCopySends
    let large = UnsafeRawBufferPointer(pinnedBytes(300_000))
    #expect(try pair.client.writev(large, mode: .automatic) > 0)
    #expect(pair.client.statistics.zeroCopySends == sends)
    #expect(pair.client.statistics.bytes > sends * memory.count)
    _ = try pair.server.read(count: sends * memory.count)
    #expect(try pair.client.flush(timeout: .seconds(60)).completed == sends)
  }

  @Test("Memory that the kernel cannot read is an error, not a wait (rule 5: ENOMEM)")
  func unreadable() throws {
    var pair = try Connected.onVsock()
    let nowhere = UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: 4096), count: 4_096)
    for mode in [WriteMode.zeroCopy, .automatic, .copy] {
      #expect(
        error { () throws(ZeroCopyError) in try pair.client.writeAll(nowhere, mode: mode) }?.errno
          == .noMemory)
    }
    let memory = UnsafeRawBufferPointer(pinnedBytes(4_096))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    #expect(try pair.server.read(count: memory.count).elementsEqual(memory))
    #expect(try pair.client.flush(timeout: .seconds(60)).completed == 1)
  }
}

@Suite("vsock endpoints that are not there")
struct VsockEndpointTests {
  @Test("A port of this machine where nobody listens", .vsock)
  func nobodyListens() {
    let failure = error { () throws(ZeroCopyError) in
      _ = try ZeroCopySocket.connect(to: .vsock(cid: 1, port: 1))
    }
    #expect(failure?.code == .connectionRefused)
    #expect(failure?.description.contains("nobody listens") == true)
  }

  @Test("A context that is not there fails within the time to connect, and says what is missing")
  func noSuchContext() {
    let failure = error { () throws(ZeroCopyError) in
      _ = try ZeroCopySocket.connect(
        to: .vsock(cid: 77_777, port: 1), configuration: Configuration(connectTimeout: .seconds(3)))
    }
    #expect(failure?.description.contains("vsock:77777:1") == true)
    switch failure?.code {
    // Where there is a virtual machine's device, its host answers, or does not.
    case .timedOut, .connectionRefused: break
    default:
      #expect(failure?.code == .connectFailed)
      #expect(
        failure?.errno != .operationNotSupportedByDevice
          || failure?.description.contains("no way to that CID") == true)
    }
  }

  @Test("A system without vsock says so, whoever connects or listens")
  func noVsock() throws {
    try onOwnThread {
      try #require(cts_refuse_family(40) == 0)
      let connecting = error { () throws(ZeroCopyError) in
        _ = try ZeroCopySocket.connect(to: .vsock(cid: 1, port: 1))
      }
      #expect(connecting?.code == .connectFailed)
      #expect(connecting?.errno == .addressFamilyNotSupported)
      #expect(connecting?.description.contains("no way to that CID") == true)
      let listening = error { () throws(ZeroCopyError) in
        _ = try ZeroCopyListener(binding: Vsock.freeEndpoint)
      }
      #expect(listening?.code == .listenFailed)
      #expect(listening?.errno == .addressFamilyNotSupported)
      // The others are there.
      #expect(try Connected().client.availability == .available)
    }
  }
}
