import SystemPackage
import TestSupport
import Testing

@testable import ZeroCopy

@Suite("Faults of sends")
struct SendFaultTests {
  private static let modes = [WriteMode.zeroCopy, .copy]

  @Test("A send that is cut at any byte of its pieces goes on behind it", arguments: modes)
  func everyOffset(_ mode: WriteMode) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    let sizes = [3, 0, 5, 1, 7]
    let total = sizes.reduce(0, +)
    let memory = UnsafeRawBufferPointer(pinnedBytes(total))
    var pieces: [UnsafeRawBufferPointer] = []
    for size in sizes {
      let start = pieces.reduce(0) { $0 + $1.count }
      pieces.append(UnsafeRawBufferPointer(rebasing: memory[start..<(start + size)]))
    }
    // The first send takes `first` bytes, the second `second`, the third the rest.
    for first in 1..<total {
      for second in 1...(total - first) {
        faults.nextSends([.short(first), .short(second)])
        try pair.client.writeAll(pieces, mode: mode)
        #expect(try pair.server.read(count: total) == Array(memory))
      }
    }
    #expect(faults.counts.shortSends > total)
    let flushed = try pair.client.flush(timeout: .seconds(10))
    #expect(flushed.completed == faults.counts.zeroCopySends)
    #expect(pair.client.statistics.bytesInFlight == 0)
  }

  @Test(
    "What the network says of the way, and TCP lives on with, is not the peer's refusal", arguments: modes)
  func survived(_ mode: WriteMode) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = UnsafeRawBufferPointer(pinnedBytes(2000))
    for errno in [Errno.connectionRefused, .noRouteToHost, .networkUnreachable] {
      faults.nextSends([.failure(errno)])
      let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: mode) }
      #expect(failure?.code == .system)
      #expect(failure?.errno == errno)
      #expect(failure?.isSocketUsable == true)
      #expect(failure?.message.contains("goes on") == true)
      try pair.client.writeAll(memory, mode: mode)
      #expect(try pair.server.read(count: 2000) == Array(memory))
    }
  }

  @Test("A send of one byte at a time takes an id for each, and arrives once", arguments: modes)
  func oneByteEach(_ mode: WriteMode) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.sends { _, _ in .short(1) }
    let memory = UnsafeRawBufferPointer(pinnedBytes(2000))
    try pair.client.writeAll(memory.cut(into: 1500), mode: mode)
    #expect(try pair.server.read(count: 2000) == Array(memory))
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == (mode == .zeroCopy ? 2000 : 0))
  }

  @Test("Short sends amid more pieces than one call takes", arguments: [1, 2, 3])
  func manyPieces(_ seed: UInt64) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor, seed: seed)
    faults.random(SendChances(short: 0.8, interrupted: 0.3))
    let memory = UnsafeRawBufferPointer(pinnedBytes(300_000))
    let peer = pair.serve { socket in try socket.readToEnd() }
    try pair.client.writeAll(memory.cut(into: 5000), mode: .zeroCopy)
    try pair.client.finishWriting()
    #expect(try peer.value() == Array(memory))
    let flushed = try pair.client.flush(timeout: .seconds(10))
    #expect(flushed.completed == faults.counts.zeroCopySends)
  }

  @Test("Interrupted sends are repeated and take no id", arguments: modes)
  func interrupted(_ mode: WriteMode) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.failSends(with: .interrupted, times: 1000)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    try pair.client.writeAll(memory, mode: mode)
    #expect(faults.counts.failedSends == 1000)
    #expect(try pair.server.read(count: 1000) == Array(memory))
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == (mode == .zeroCopy ? 1 : 0))
  }

  @Test("Interruptions without an end are ended by the time-out, and the socket goes on", arguments: modes)
  func interruptedForEver(_ mode: WriteMode) throws {
    var pair = try Connected(client: Configuration(writeTimeout: .milliseconds(30)))
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    faults.sends { number, _ in number == 0 ? .short(10) : .failure(.interrupted) }
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: mode) }
    #expect(failure?.code == .timedOut)
    #expect(failure?.isSocketUsable == true)
    #expect(failure?.bytesAccepted == 10)
    faults.calm()
    try pair.client.writeAll(UnsafeRawBufferPointer(rebasing: memory[10...]), mode: mode)
    #expect(try pair.server.read(count: 1000) == Array(memory))
    try pair.client.flush(timeout: .seconds(10))
  }

  @Test("So are those of a borrowed write, by its own time-out", arguments: modes)
  func borrowedInterruptedForEver(_ mode: WriteMode) throws {
    var pair = try Connected(client: Configuration(writeTimeout: nil))
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.sends { _, _ in .failure(.interrupted) }
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAndFlush([1, 2, 3].span, timeout: .milliseconds(30), mode: mode)
    }
    #expect(failure?.code == .timedOut)
    #expect(pair.client.statistics.inFlight == 0)
  }

  @Test("A full descriptor is told as wouldBlock, or as the time-out that it means on a blocking one")
  func wouldBlock() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for isBlocking in [true, false] {
      for mode in Self.modes {
        pair.client.setBlocking(isBlocking)
        faults.nextSends([.short(1), .failure(.resourceTemporarilyUnavailable)])
        let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: mode) }
        #expect(failure?.code == (isBlocking ? .timedOut : .wouldBlock))
        #expect(failure?.isSocketUsable == true)
        #expect(failure?.bytesAccepted == 1)
        try pair.client.writeAll(UnsafeRawBufferPointer(rebasing: memory[1...]), mode: mode)
        #expect(try pair.server.read(count: 1000) == Array(memory))
      }
    }
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 4)
  }

  @Test("A borrowed write waits out a storm of EAGAIN, and sends each byte once", arguments: modes)
  func wouldBlockStorm(_ mode: WriteMode) throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.random(SendChances(short: 0.7, wouldBlock: 0.7))
    let bytes = Array(pinnedBytes(100_000))
    let peer = pair.serve { socket in try socket.readToEnd() }
    try pair.client.writeAndFlush(bytes.span, timeout: .seconds(60), mode: mode)
    try pair.client.finishWriting()
    #expect(try peer.value() == bytes)
    #expect(pair.client.statistics.inFlight == 0)
  }

  @Test("A shortage with nothing in flight is thrown in zero-copy mode, and copied in automatic mode")
  func noBufferSpace() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = pinnedBytes(longSend)
    let reader = pair.serve { socket in try socket.readToEnd() }
    faults.failSends(with: .noBufferSpace)
    let failure = error { () throws(ZeroCopyError) in
      try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy)
    }
    #expect(failure?.errno == .noBufferSpace)
    #expect(failure?.isSocketUsable == true)
    #expect(failure?.bytesAccepted == 0)
    #expect(pair.client.statistics.inFlight == 0)
    faults.failSends(with: .noBufferSpace)
    try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .automatic)
    #expect(pair.client.statistics.fallbacks == 1)
    #expect(pair.client.statistics.zeroCopySends == 0)
    try pair.client.finishWriting()
    #expect(try reader.value() == Array(memory))
  }

  @Test(
    "After a shortage automatic mode copies thirty-two sends more, and then tries zero copy again",
    arguments: [longSend, 300_000])
  func triesAgain(_ size: Int) throws {
    // Short ones go without copying where that was found to be cheaper.
    let experience = try PathExperience(ofLoopbackWhereZeroCopyPaysAt: size)
    var pair = try Connected(client: Configuration(experience: experience))
    let faults = try Faults(on: pair.client.fileDescriptor)
    let memory = UnsafeRawBufferPointer(pinnedBytes(size))
    let reader = pair.serve { socket in try socket.readToEnd().count }
    faults.failSends(with: .noBufferSpace)
    for _ in 0..<33 { try pair.client.writeAll(memory, mode: .automatic) }
    #expect(pair.client.statistics.fallbacks == 33)
    #expect(pair.client.statistics.zeroCopySends == 0)
    try pair.client.writeAll(memory, mode: .automatic)
    #expect(pair.client.statistics.fallbacks == 33)
    #expect(pair.client.statistics.zeroCopySends == 1)
    try pair.client.finishWriting()
    #expect(try reader.value() == 34 * size)
  }

  @Test("A shortage that draining relieves is tried again without the caller seeing it (rule 18)")
  func drains() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    // It must not wait; and the first send's notification is on the queue when the second one fails.
    pair.client.setBlocking(false)
    faults.notifications { $0.beforeReturn = true }
    faults.nextSends([.none, .failure(.noBufferSpace)])
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    try pair.client.writeAll(memory, mode: .zeroCopy)
    try pair.client.writeAll(memory, mode: .zeroCopy)
    #expect(faults.counts.failedSends == 1)
    #expect(pair.client.statistics.fallbacks == 0)
    #expect(try pair.server.read(count: 2000) == Array(memory) + Array(memory))
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 2)
  }

  @Test("A send that is cut, or fails, with its notification already queued, is counted once (rule 7)")
  func reportedBeforeItReturns() throws {
    var pair = try Connected()
    let faults = try Faults(on: pair.client.fileDescriptor)
    faults.notifications { $0.beforeReturn = true }
    let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
    for round in 1...20 {
      faults.nextSends([.short(100), .failure(.interrupted), .short(300), .failure(.ioError)])
      let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll(memory, mode: .zeroCopy) }
      #expect(failure?.errno == .ioError)
      #expect(failure?.bytesAccepted == 400)
      #expect(faults.counts.reportedIDs == 2 * round)
      #expect(try pair.server.read(count: 400) == Array(memory[..<400]))
    }
    #expect(try pair.client.flush(timeout: .seconds(10)).completed == 40)
    #expect(pair.client.statistics.bytesInFlight == 0)
    #expect(pair.client.statistics.settled == 0)
  }
}
