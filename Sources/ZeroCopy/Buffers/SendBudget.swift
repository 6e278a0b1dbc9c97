internal import CZeroCopy
internal import Synchronization

/// A bound on what the sockets that share it have in flight together, so that none of them meets the kernel's limits
/// and a slow peer cannot use them up for all.
///
/// Give one to the `Configuration` of every socket of a program that runs without CAP_IPC_LOCK: then no send of
/// theirs fails for want of locked memory, unless other processes of the same user take it. At the budget
/// `.automatic` copies, and `.zeroCopy` waits as long as a write may, and then throws `.inFlightLimit`; `trySend`,
/// which never waits, gives the buffer back instead. A send that is larger than a socket's share goes in several.
///
/// What a socket has done comes back when that socket reaps: one that neither writes, flushes nor reaps keeps its share.
/// What was in flight when a socket ended comes back at once, although the kernel may count it for a while.
public final class SendBudget: Sendable, CustomStringConvertible {
  /// Bytes of memory that may be in flight, as the kernel counts locked memory: a send of n bytes counts as
  /// n rounded down to whole pages, and two pages more. `Int.max` is no bound.
  public let maximumBytes: Int
  /// How many of those one socket may have.
  public let maximumBytesPerSocket: Int
  /// How many sends one socket may have in flight.
  public let maximumSendsPerSocket: Int

  private let used = Atomic(0)
  /// Rung when bytes come back.
  let returns = Bell()

  private static var page: Int { Int(SystemLimits.pageSize) }

  /// The least that a budget has: two sends of a page.
  static let minimum = 2 * cost(ofSend: page)

  /// Makes a budget of which nothing is used. Values out of range count as the nearest in it.
  ///
  /// - Parameters:
  ///   - maximumBytes: Two sends of a page at least, 24,576 with pages of 4 KiB; less counts as that.
  ///   - maximumBytesPerSocket: Half of `maximumBytes` where it is `nil`.
  ///   - maximumSendsPerSocket: No bound where it is `nil`.
  public init(maximumBytes: Int, maximumBytesPerSocket: Int? = nil, maximumSendsPerSocket: Int? = nil) {
    self.maximumBytes = max(Self.minimum, maximumBytes)
    let share = maximumBytesPerSocket ?? self.maximumBytes / 2
    self.maximumBytesPerSocket = min(self.maximumBytes, max(Self.cost(ofSend: Self.page), share))
    self.maximumSendsPerSocket = max(1, maximumSendsPerSocket ?? .max)
  }

  /// What the system lets this process have now: of locked memory (RLIMIT_MEMLOCK, unless CAP_IPC_LOCK lifts it)
  /// and of notification memory (net.core.optmem_max).
  public static func fittingSystemLimits() -> SendBudget {
    let limits = SystemLimits.current
    let locked = limits.isLockedMemoryLifted ? nil : limits.lockedMemory
    // The largest notification block of the kernels known is 896 bytes.
    let sends = limits.optionMemory.map { Int(max(1, $0 / 1024)) }
    return SendBudget(maximumBytes: Int(clamping: locked ?? .max), maximumSendsPerSocket: sends)
  }

  /// Bytes in use now.
  public var usedBytes: Int { used.load(ordering: .sequentiallyConsistent) }

  /// How much of it is in use, in words.
  public var description: String {
    "\(usedBytes) of \(maximumBytes == .max ? "unlimited" : "\(maximumBytes)") bytes in flight"
  }

  /// What a send counts (rule 16).
  static func cost(ofSend byteCount: Int) -> Int { Int(SystemLimits.lockedMemory(ofSend: byteCount)) }

  /// The longest send that fits so many bytes; 0 where none does.
  static func longestSend(costing bytes: Int) -> Int {
    max(0, (min(bytes, .max - page) / page - 1) * page - 1)
  }

  /// The longest part of a send that is larger than a socket's share. Two such parts fit, so that one is on its way
  /// while the next is made; but not at any price.
  var longestPart: Int {
    let half = Self.longestSend(costing: maximumBytesPerSocket / 2)
    return half > Self.page ? half : Self.longestSend(costing: maximumBytesPerSocket)
  }

  /// Takes so many bytes, or none.
  func share(_ cost: Int) -> BudgetShare? {
    var before = used.load(ordering: .sequentiallyConsistent)
    while before <= maximumBytes - cost {
      let (isDone, now) = used.weakCompareExchange(
        expected: before, desired: before + cost, ordering: .sequentiallyConsistent)
      if isDone { return BudgetShare(budget: self, cost: cost) }
      before = now
    }
    return nil
  }

  fileprivate func giveBack(_ cost: Int) {
    used.subtract(cost, ordering: .sequentiallyConsistent)
    returns.ring()
  }
}

/// What one send has of a budget, until it is done.
struct BudgetShare: ~Copyable, Sendable {
  let budget: SendBudget
  let cost: Int

  deinit { budget.giveBack(cost) }
}
