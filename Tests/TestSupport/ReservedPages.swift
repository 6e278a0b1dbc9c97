import CZeroCopy
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Huge pages that the system has reserved (vm.nr_hugepages). They are everybody's.
public enum ReservedPages {
  public static let size = Int(czc_huge_page_size())

  /// How many nobody has.
  public static var free: Int {
    guard let file = fopen("/proc/meminfo", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
      if words.count == 2, words[0] == "HugePages_Free:" { return Int(words[1]) ?? 0 }
    }
    return 0
  }

  /// Takes all that nobody has for the length of a body.
  public static func takingAll(_ body: () throws -> Void) rethrows {
    var taken: [UnsafeMutableRawPointer] = []
    while let page = takeOne() { taken.append(page) }
    defer { for page in taken { munmap(page, size) } }
    try body()
  }

  private static func takeOne() -> UnsafeMutableRawPointer? {
    let hugePages: CInt = 0x40000  // MAP_HUGETLB
    let page = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | hugePages, -1, 0)
    guard let page, page != MAP_FAILED else { return nil }
    // MADV_POPULATE_WRITE, which fails where a store would end the process: a page that is only reserved can be missing.
    if madvise(page, size, 23) == 0 { return page }
    munmap(page, size)
    return nil
  }
}

extension Trait where Self == ConditionTrait {
  /// Where so many of them are free.
  public static func reservedPages(_ count: Int) -> Self {
    .enabled(
      if: ReservedPages.free >= count, "needs \(count) free reserved huge pages: sysctl vm.nr_hugepages")
  }
}
