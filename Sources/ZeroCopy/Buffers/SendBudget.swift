internal import CZeroCopy
internal import Synchronization

/// A bound on what the sockets that share it have in flight together, so that none of them meets the kernel's limits
/// and a slow peer cannot use them up for all. Pools have no part in it: their memory counts while it is in flight.
///
/// Give one to the `Configuration` of every socket of a program that runs without CAP_IPC_LOCK: then no send of
/// theirs fails for want of locked memory, unless other processes of the same user take it. At the budget
/// `.automatic` copies, and `.zeroCopy` waits as long as a write may, and then throws `.inFlightLimit`; `trySend`,
/// which never waits, gives the buffer back instead. A send that is larger than a socket's share goes in several.
///
/// A slow peer holds at most `maximumSendsPerSocket` buffers, and one that `trySend` has sent in part. Make that less
/// than a pool's `count` by two at least, and it cannot hold the pool: bytes do not bound buffers that are filled little.
/// ```swift
/// SendBudget.fittingSystemLimits(maximumSendsPerSocket: 8)  // of a pool of 32
/// ```
///
/// What a socket has done comes back when that socket reaps: one that neither writes, flushes nor reaps keeps its share.
/// What was in flight when a socket ended comes back at once, although the kernel may count it for a while. What a full
/// socket has refused may count until the send before it is done: the kernel goes on counting it, too.
public final class SendBudget: Sendable, CustomStringConvertible {
  /// Bytes of memory that may be in flight, as the kernel counts locked memory: a send of n bytes counts as
  /// n rounded down to whole pages, and two pages more. `Int.max` is no bound.
  public let maximumBytes: Int
  /// How many of those one socket may have.
  public let maximumBytesPerSocket: Int
  /// How many sends one socket may have in flight, and so how many buffers of a pool.
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
  ///   - maximumSendsPerSocket: No bound where it is `nil`: see above for pools.
  public init(maximumBytes: Int, maximumBytesPerSocket: Int? = nil, maximumSendsPerSocket: Int? = nil) {
    self.maximumBytes = max(Self.minimum, maximumBytes)
    let share = maximumBytesPerSocket ?? self.maximumBytes / 2
    self.maximumBytesPerSocket = min(self.maximumBytes, max(Self.cost(ofSend: Self.page), share))
    self.maximumSendsPerSocket = max(1, maximumSendsPerSocket ?? .max)
  }

  /// What the system has now: of locked memory for this process (RLIMIT_MEMLOCK, unless CAP_IPC_LOCK lifts it), and of
  /// notification memory for each socket (net.core.optmem_max), at 1 KiB a send. Where a network namespace does not show
  /// the latter, as in a container before Linux 6.8, it counts as 20 KiB, which were usual.
  ///
  /// With CAP_IPC_LOCK, or no limit, it bounds no bytes: say how many one socket may have.
  ///
  /// - Parameters:
  ///   - maximumBytesPerSocket: Half of the locked memory where it is `nil`.
  ///   - maximumSendsPerSocket: What the notification memory allows where it is `nil`, or more than that.
  public static func fittingSystemLimits(
    maximumBytesPerSocket: Int? = nil, maximumSendsPerSocket: Int? = nil
  ) -> SendBudget {
    let limits = SystemLimits.current
    let locked = limits.isLockedMemoryLifted ? nil : limits.lockedMemory
    let sends = Int(clamping: limits.assumedOptionMemory / SystemLimits.largestNotificationBlock)
    return SendBudget(
      maximumBytes: Int(clamping: locked ?? .max), maximumBytesPerSocket: maximumBytesPerSocket,
      maximumSendsPerSocket: min(sends, maximumSendsPerSocket ?? .max))
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
      if isDone { return BudgetShare(self, cost: cost) }
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
  private let budget: SendBudget
  private(set) var cost: Int

  fileprivate init(_ budget: SendBudget, cost: Int) {
    self.budget = budget
    self.cost = cost
  }

  deinit { if cost > 0 { budget.giveBack(cost) } }

  /// Takes what another one of the same budget has.
  mutating func join(_ other: inout BudgetShare) {
    cost += other.cost
    other.cost = 0
  }
}
