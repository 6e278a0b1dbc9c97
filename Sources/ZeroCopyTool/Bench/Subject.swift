import ArgumentParser
import ZeroCopy

/// One way of sending that the bench measures: how, and from which memory.
enum Subject: String, CaseIterable, ExpressibleByArgument {
  case copy
  case zeroCopy = "zero-copy"
  case automatic
  /// Zero copy from a pool on ordinary pages.
  case pool
  /// Zero copy from a pool on huge pages.
  case hugePool = "huge-pool"
  case hugePoolCopy = "huge-pool-copy"
  case hugePoolAutomatic = "huge-pool-automatic"
  /// As `copy`: how far two equal subjects are apart.
  case copyAgain = "copy-again"
  /// A program in C beside it, which does what `hugePoolCopy` and `hugePool` do.
  case plainCopy = "c-copy"
  case plainZeroCopy = "c-zero-copy"

  enum Memory {
    /// The caller's own, on ordinary pages.
    case callers
    case pool
    case hugePool
  }

  static let ofLibrary = allCases.filter { !$0.isPlain }

  var isPlain: Bool { self == .plainCopy || self == .plainZeroCopy }

  var mode: WriteMode {
    switch self {
    case .copy, .copyAgain, .hugePoolCopy, .plainCopy: .copy
    case .zeroCopy, .pool, .hugePool, .plainZeroCopy: .zeroCopy
    case .automatic, .hugePoolAutomatic: .automatic
    }
  }

  var memory: Memory {
    switch self {
    case .copy, .zeroCopy, .automatic, .copyAgain: .callers
    case .pool: .pool
    case .hugePool, .hugePoolCopy, .hugePoolAutomatic, .plainCopy, .plainZeroCopy: .hugePool
    }
  }

  /// For a line of the chart and a column of the table.
  var title: String {
    switch self {
    case .copy: "copy"
    case .zeroCopy: "zero copy"
    case .automatic: "automatic"
    case .pool: "pool"
    case .hugePool: "huge pool"
    case .hugePoolCopy: "h.p. copy"
    case .hugePoolAutomatic: "h.p. auto"
    case .copyAgain: "again"
    case .plainCopy: "C copy"
    case .plainZeroCopy: "C zero c."
    }
  }
}

/// How much memory is sent in turn. It has room for one send at least, and a pool for a few.
enum Span: String, CaseIterable, Codable {
  /// What stays in a processor's cache.
  case hot
  /// What does not.
  case cold

  var bytes: Int { self == .hot ? 256 << 10 : 64 << 20 }

  /// "hot: out of 256 KiB in turn", and what holds instead where sends of these sizes need more.
  func description(sizes: [Int]) -> String {
    let needed = (sizes.max() ?? 0) * BenchMemory.fewestBuffers
    let exception =
      needed > bytes ? ", but one send at least, and \(BenchMemory.fewestBuffers) buffers of a pool" : ""
    return "\(rawValue): out of \(formatted(size: bytes)) in turn\(exception)"
  }
}
