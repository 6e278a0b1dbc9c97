import CTestSupport
import Synchronization

/// Where memory begins that is never freed. Reachable, so that a leak checker passes over it and what it
/// reports is a leak.
private let pinned = Mutex<[UInt]>([])

/// Memory that stays at its place until the process ends: for sends whose end a test does not see.
public func pinnedBytes(_ count: Int, seed: UInt64 = 1) -> UnsafeMutableRawBufferPointer {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count), alignment: 4096)
  pin(memory)
  cts_fill_random(memory.baseAddress, count, seed)
  return UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
}

/// Keeps memory until the process ends.
func pin(_ memory: UnsafeMutableRawBufferPointer) {
  let start = UInt(bitPattern: memory.baseAddress)
  pinned.withLock { $0.append(start) }
}

/// Bytes of a send that automatic mode makes without copying on a stream where nothing was measured yet.
public let longSend = 1_100_000

/// Lets a leak checker pass over an object that the library is to keep alive for ever. Does not keep it alive.
public func leaksOnPurpose(_ object: AnyObject) {
  let place = UInt(bitPattern: Unmanaged.passUnretained(object).toOpaque())
  pinned.withLock { $0.append(place) }
}
