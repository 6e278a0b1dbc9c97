import CZeroCopy
import SystemPackage
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Sends a pattern from a few buffers, each of which is scribbled over as soon as the library calls it free:
/// memory that is released early reaches the peer as something else.
public struct ScribblingSender: ~Copyable {
  private struct Slot {
    let memory: UnsafeMutableRawBufferPointer
    /// The number behind its last send; `nil` where it is free.
    var end: UInt64?
  }

  private var slots: [Slot]
  private var oldest = 0
  /// Bytes accepted so far.
  public private(set) var sent = 0
  /// Calls that threw, and were gone on behind.
  public private(set) var failures = 0

  public init(slots count: Int, byteCount: Int) {
    slots = (0..<count).map { _ in
      Slot(memory: UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096))
    }
  }

  deinit {
    // With sends in flight the kernel may still read it.
    for slot in slots {
      if slot.end == nil { slot.memory.deallocate() } else { pin(slot.memory) }
    }
  }

  /// Sends the next bytes of the pattern in several pieces, and goes on after errors that allow it.
  public mutating func send(
    _ byteCount: Int, pieces: Int = 1, mode: WriteMode, on socket: inout ZeroCopySocket
  ) throws {
    let memory = try freeSlot(&socket)
    Pattern().fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<byteCount]), from: sent)
    var accepted = 0
    let deadline = czc_now() + 30_000_000_000
    while accepted < byteCount {
      let rest = UnsafeRawBufferPointer(rebasing: memory[accepted..<byteCount])
      do throws(ZeroCopyError) {
        try socket.writeAll(rest.cut(into: pieces), mode: mode)
        accepted = byteCount
      } catch {
        slots[oldest].end = socket.nextSend
        guard error.isSocketUsable, error.isOver, czc_now() < deadline else { throw error }
        accepted += error.bytesAccepted
        failures += 1
        if error.code == .wouldBlock { waitForRoom(socket) }
      }
    }
    sent += byteCount
    slots[oldest].end = socket.nextSend
    oldest = (oldest + 1) % slots.count
    try scribble(socket: &socket)
  }

  /// Overwrites what is free.
  public mutating func scribble(socket: inout ZeroCopySocket) throws {
    for index in slots.indices {
      guard let end = slots[index].end else { continue }
      do throws(ZeroCopyError) {
        try socket.waitForRelease(before: end, timeout: .zero)
      } catch {
        guard error.code == .timedOut else { throw error }
        continue
      }
      // In a debug build Swift's own loop takes a hundred times as long.
      let memory = slots[index].memory
      memset(memory.baseAddress!, 0xEE, memory.count)
      slots[index].end = nil
    }
  }

  private mutating func freeSlot(_ socket: inout ZeroCopySocket) throws -> UnsafeMutableRawBufferPointer {
    if let end = slots[oldest].end {
      try socket.waitForRelease(before: end, timeout: .seconds(30))
      try scribble(socket: &socket)
    }
    return slots[oldest].memory
  }

  private func waitForRoom(_ socket: borrowing ZeroCopySocket) {
    var wanted = pollfd(fd: socket.fileDescriptor.rawValue, events: Int16(POLLOUT), revents: 0)
    _ = poll(&wanted, 1, 1000)
  }
}

extension ZeroCopyError {
  /// Whether the same call may succeed when it is made again.
  fileprivate var isOver: Bool {
    switch code {
    case .wouldBlock, .timedOut, .inFlightLimit, .lockedMemoryLimit, .notificationMemoryLimit: true
    default: errno == .noBufferSpace
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Pieces that differ in size by at most one; fewer where there are fewer bytes.
  public func cut(into count: Int) -> [UnsafeRawBufferPointer] {
    let count = Swift.min(count, self.count)
    return (0..<count).map {
      UnsafeRawBufferPointer(rebasing: self[(self.count * $0 / count)..<(self.count * ($0 + 1) / count)])
    }
  }
}

extension ZeroCopySocket {
  /// Reads the pattern to the end of the stream, with a pause for each 64 KiB where `isSlow`.
  /// - Returns: How many bytes came, and the place of the first wrong one.
  public mutating func readPattern(isSlow: Bool = false) throws -> (byteCount: Int, wrongAt: Int?) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)
    defer { buffer.deallocate() }
    var byteCount = 0
    var wrongAt: Int?
    while true {
      let count = try read(into: buffer)
      if count == 0 { return (byteCount, wrongAt) }
      let received = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if wrongAt == nil { wrongAt = Pattern().firstFault(in: received, at: byteCount).map { byteCount + $0 } }
      let before = byteCount
      byteCount += count
      if isSlow, byteCount >> 16 != before >> 16 { czc_pause(1_000_000) }
    }
  }
}

extension ZeroCopySocket {
  /// As `readPattern`, also of a stream that is cut: what came before has to be right all the same.
  public mutating func readPatternUntilCut() throws -> (byteCount: Int, wrongAt: Int?, hasEnded: Bool) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)
    defer { buffer.deallocate() }
    var byteCount = 0
    var wrongAt: Int?
    do throws(ZeroCopyError) {
      while true {
        let count = try read(into: buffer)
        if count == 0 { return (byteCount, wrongAt, true) }
        let received = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if wrongAt == nil {
          wrongAt = Pattern().firstFault(in: received, at: byteCount).map { byteCount + $0 }
        }
        byteCount += count
      }
    } catch {
      guard error.code == .connectionLost else { throw error }
      return (byteCount, wrongAt, false)
    }
  }
}
