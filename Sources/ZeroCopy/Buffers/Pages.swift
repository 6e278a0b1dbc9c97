internal import CZeroCopy

/// What kind of pages a pool's memory lies on. Huge ones make sending cheaper, because the kernel takes fewer of
/// them in hand for each send.
public struct Pages: Sendable, Hashable, CustomStringConvertible {
  let kind: CInt
  /// The kind in words, for instance "transparent huge pages".
  public let description: String

  private init(_ kind: some BinaryInteger, _ description: String) {
    self.kind = CInt(kind)
    self.description = description
  }

  /// Those of every process: 4 KiB on most machines.
  public static let standard = Pages(CZC_PAGES_STANDARD, "standard pages")
  /// Transparent huge pages (`MADV_HUGEPAGE`), 2 MiB on most machines. Nothing has to be set up.
  public static let huge = Pages(CZC_PAGES_HUGE, "transparent huge pages")
  /// Huge pages that the system has reserved (`MAP_HUGETLB`, vm.nr_hugepages).
  public static let reservedHuge = Pages(CZC_PAGES_RESERVED, "reserved huge pages")

  public static func == (left: Pages, right: Pages) -> Bool { left.kind == right.kind }

  public func hash(into hasher: inout Hasher) { hasher.combine(kind) }
}
