import CTestSupport
import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("A pool that cannot be")
struct BadPoolTests {
  private func failure(_ size: Int, _ count: Int, _ pages: Pages = .standard) -> ZeroCopyError? {
    error { () throws(ZeroCopyError) in
      _ = try BufferPool(bufferSize: size, count: count, pages: pages)
    }
  }

  @Test(
    "Of no buffers, of empty ones, or of fewer",
    arguments: [(4096, 0), (0, 4), (0, 0), (-1, 4), (4096, -1), (.min, .min)])
  func empty(_ size: Int, _ count: Int) {
    #expect(failure(size, count)?.code == .invalidArgument)
  }

  @Test("Of more buffers than can be counted: it says how many can", arguments: [Int(Int32.max) + 1, .max])
  func tooMany(_ count: Int) {
    let failure = failure(1, count)
    #expect(failure?.code == .invalidArgument)
    #expect(failure?.message.contains("\(Int32.max)") == true)
  }

  @Test(
    "Of an absurd size, whatever the sums come to",
    arguments: [
      (Int.max, 1), (.max - 4094, 1), (.max - 4095, 1), (.max - 4096, 1), (.max - 8191, 1), (.max / 2 + 1, 2),
      (1 << 62, Int(Int32.max)), (4096, Int(Int32.max)), (.max - (2 << 20), 1),
    ], [Pages.standard, .huge, .reservedHuge])
  func absurd(_ size: (Int, Int), _ pages: Pages) {
    let failure = failure(size.0, size.1, pages)
    #expect(failure?.code == .outOfMemory)
    #expect(failure?.errno == .noMemory)
  }

  @Test("Beyond the memory that there is: it says how much that is")
  func beyondMemory() throws {
    let available = Int(czc_available_memory())
    try #require(available > 0)
    // Four times as much, while other tests take and give some.
    let failure = failure(1 << 20, available >> 18)
    #expect(failure?.code == .outOfMemory)
    #expect(failure?.description.contains("make it smaller") == true)
  }

  @Test(
    "Beyond the memory that there is, where reserved pages were asked for: other pages are not even tried",
    arguments: [1 << 50, .max])
  func beyondMemoryWithoutReserved(_ size: Int) {
    // Of so many bytes no kernel maps any: what it says shows that it was not asked. Of fewer it gives some, and ends
    // the process for want of more.
    let failure = failure(size, 1, .reservedHuge)
    #expect(failure?.code == .outOfMemory)
    #expect(failure?.message.contains("more memory than the") == true)
    #expect(failure?.message.contains("than the 0 bytes") == false)
  }

  @Test(
    "Beyond the process's limit of address space, whatever pages are asked for",
    .enabled(if: !isSanitized, "a sanitizer needs very much of it"))
  func beyondLimit() async {
    await #expect(processExitsWith: .success) {
      // Once, so that what is needed for it is there.
      _ = try BufferPool(bufferSize: 4096, count: 1, pages: .huge)
      var limit = rlimit(rlim_cur: 0, rlim_max: rlim_t.max)
      getrlimit(__rlimit_resource_t(9), &limit)
      limit.rlim_cur = 1 << 20
      try #require(setrlimit(__rlimit_resource_t(9), &limit) == 0)
      for pages in [Pages.standard, .huge, .reservedHuge] {
        var code: ZeroCopyError.Code?
        do throws(ZeroCopyError) {
          _ = try BufferPool(bufferSize: 1 << 20, count: 16, pages: pages)
        } catch {
          code = error.code
        }
        #expect(code == .outOfMemory)
      }
    }
  }

  @Test("Without huge pages that the system has reserved, it falls back, and says so")
  func noReservedPages() throws {
    // Where some are reserved, more than there are.
    let size = 2 << 20
    let reserved = try reservedHugePages()
    let pool = try BufferPool(bufferSize: size, count: reserved + 2, pages: .reservedHuge)
    #expect(pool.pages != .reservedHuge)
    #expect(pool.pages.description == "transparent huge pages" || pool.pages.description == "standard pages")
    let buffer = try pool.filled()
    #expect(buffer.bytes.withUnsafeBytes { Pattern().firstFault(in: $0, at: 0) } == nil)
  }

  @Test("What it says of huge pages is what the kernel says", arguments: [1, 3, 32])
  func hugePagesAreThere(_ count: Int) throws {
    let pool = try BufferPool(bufferSize: 64 << 10, count: count, pages: .huge)
    let buffer = try pool.filled()
    let address = buffer.bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
    #expect(try (pool.pages == .huge) == (mappingSize("AnonHugePages", at: address) > 0))
  }

  @Test("Where the process may have no huge pages, it is on standard ones, and says so")
  func switchedOffForTheProcess() async {
    await #expect(processExitsWith: .success) {
      try #require(cts_forgo_huge_pages() == 0)
      let pool = try BufferPool(bufferSize: 4 << 20, count: 2, pages: .huge)
      #expect(pool.pages == .standard)
    }
  }

  @Test("Of standard pages it is never on others")
  func standardPages() throws {
    #expect(try BufferPool(bufferSize: 4 << 20, count: 2, pages: .standard).pages == .standard)
  }

  private func reservedHugePages() throws -> Int {
    guard let file = fopen("/proc/sys/vm/nr_hugepages", "r") else { return 0 }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 32)
    fgets(&text, 32, file)
    return Int(atoi(text))
  }
}
