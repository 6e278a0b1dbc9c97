import TestSupport
import Testing

@testable import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

@Suite("Small and large pieces in one automatic write")
struct MixedWriteTests {
  /// A large piece goes without copying where nothing was measured yet.
  static let large = longSend

  @Test(
    "The small ones are copied, the large ones are not, and all arrive in order",
    arguments: Family.withZeroCopy)
  func order(_ family: Family) throws {
    var pair = try Connected(family)
    let pieces = [100, 4095, Self.large, 0, 1, 2 * Self.large, 7].map {
      UnsafeRawBufferPointer(pinnedBytes($0, seed: UInt64($0)))
    }
    let whole = pieces.flatMap { Array($0) }
    let peer = pair.serve { socket in try socket.readToEnd() }
    try pair.client.writeAll(pieces)
    #expect(pair.client.statistics.bytes == whole.count)
    #expect(pair.client.statistics.zeroCopyBytes == 3 * Self.large)
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(20))
    #expect(areEqual(try peer.value(), whole))
  }

  @Test("They go in no more packets than one write of a kind makes, copying or not")
  func packets() throws {
    // So few that no acknowledgement is waited for in between. So that the large one goes without copying, that must
    // have been found to be cheaper.
    let large = 300_000
    let experience = try PathExperience(ofLoopbackWhereZeroCopyPaysAt: large)
    func packets(_ mode: WriteMode) throws -> Int {
      var pair = try Connected(client: Configuration(experience: experience))
      let pieces = [64, large, 64].map { UnsafeRawBufferPointer(pinnedBytes($0)) }
      let peer = pair.serve { socket in try socket.readToEnd().count }
      try pair.client.writeAll(pieces, mode: mode)
      #expect((pair.client.statistics.zeroCopySends > 0) == (mode != .copy))
      try pair.client.finishWriting()
      try pair.client.flush(timeout: .seconds(20))
      #expect(try peer.value() == large + 128)
      return pair.client.segmentsOfData
    }
    // How a stream is cut depends on when the peer answers, too: the fewest of several.
    let mixed = try (0..<8).map { _ in try packets(.automatic) }.min()!
    let atOnce = try (0..<8).map { _ in try packets(.zeroCopy) }.min()!
    let copied = try (0..<8).map { _ in try packets(.copy) }.min()!
    #expect(mixed <= max(atOnce, copied), "\(mixed) \(atOnce) \(copied)")
  }

  @Test("Pieces of one kind are one send", arguments: [[10, 20, 30], [large, large], [4096, 4095]])
  func oneKind(_ sizes: [Int]) throws {
    var pair = try Connected()
    let peer = pair.serve { socket in try socket.readToEnd().count }
    let count = try pair.client.writev(sizes.map { UnsafeRawBufferPointer(pinnedBytes($0)) })
    #expect(pair.client.statistics.sends == 1)
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(20))
    #expect(try peer.value() == count)
  }

  @Test("Where the large piece is refused the small one before it goes out, and is counted")
  func refused() throws {
    var pair = try Connected()
    let header = UnsafeRawBufferPointer(pinnedBytes(100))
    let unreadable = try #require(mmap(nil, Self.large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    defer { munmap(unreadable, Self.large) }
    let body = UnsafeRawBufferPointer(start: unreadable, count: Self.large)

    #expect(try pair.client.writev([header, body]) == 100)
    #expect(pair.client.segmentsOfData == 1)
    let failure = error { () throws(ZeroCopyError) in try pair.client.writeAll([header, body]) }
    #expect(failure?.code == .unreadableMemory)
    #expect(failure?.bytesAccepted == 100)
    #expect(failure?.isSocketUsable == true)
    #expect(pair.client.segmentsOfData == 2)
    #expect(pair.client.statistics.bytes == 200)
    #expect(try pair.server.read(count: 200).count == 200)
  }

  @Test("A socket that its owner has corked stays so")
  func corked() throws {
    var pair = try Connected()
    pair.client.setOption(Int32(IPPROTO_TCP), TCP_CORK, 1)
    let unreadable = try #require(mmap(nil, Self.large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    defer { munmap(unreadable, Self.large) }
    let header = UnsafeRawBufferPointer(pinnedBytes(100))
    let body = UnsafeRawBufferPointer(start: unreadable, count: Self.large)
    #expect(try pair.client.writev([header, body]) == 100)
    #expect(pair.client.option(Int32(IPPROTO_TCP), TCP_CORK) == 1)
    #expect(pair.client.segmentsOfData == 0)
  }

  @Test("A full socket takes the pieces in parts, each byte once")
  func inParts() throws {
    var pair = try Connected()
    pair.client.setBlocking(false)
    let pieces = (0..<12).flatMap { number in
      [100, Self.large].map { UnsafeRawBufferPointer(pinnedBytes($0, seed: UInt64(number * 1000 + $0 % 7))) }
    }
    let whole = pieces.flatMap { Array($0) }
    let peer = pair.serve { socket in try socket.readToEnd() }
    var sent = 0
    while sent < whole.count {
      // What is left, from the middle of a piece on as a rule.
      var skipped = 0
      let rest = pieces.compactMap { piece -> UnsafeRawBufferPointer? in
        defer { skipped += piece.count }
        let start = min(max(0, sent - skipped), piece.count)
        return start < piece.count ? UnsafeRawBufferPointer(rebasing: piece[start...]) : nil
      }
      let failure = error { () throws(ZeroCopyError) in sent += try pair.client.writev(rest) }
      guard let failure else { continue }
      try #require(failure.code == .wouldBlock)
      usleep(1000)
    }
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(20))
    #expect(areEqual(try peer.value(), whole))
  }
}

extension ZeroCopySocket {
  /// TCP_INFO's tcpi_data_segs_out: packets with data so far.
  fileprivate var segmentsOfData: Int {
    var info = [UInt32](repeating: 0, count: 64)
    var size = socklen_t(4 * info.count)
    _ = getsockopt(fileDescriptor.rawValue, Int32(IPPROTO_TCP), TCP_INFO, &info, &size)
    return Int(info[156 / 4])
  }
}
