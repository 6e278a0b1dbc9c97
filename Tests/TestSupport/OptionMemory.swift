import CTestSupport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the holder of a descriptor can have charged to its option memory, beside notifications of zero copy.
///
/// How many bytes each is differs by kernel: what `SO_MEMINFO` says before and after tells. Each call gives whether the
/// kernel took it: some belong to root, and some a kernel is built without.
public enum OptionCharge: String, CaseIterable, Sendable {
  /// SO_ATTACH_FILTER. A socket that is accepted inherits it from the listener.
  case filter
  /// SO_ATTACH_BPF. Takes the place of a filter, and a filter takes its place.
  case program
  /// MCAST_JOIN_GROUP: several groups, each charged by itself.
  case ipv4Groups, ipv6Groups
  /// MCAST_MSFILTER: the sources from which one group is received.
  case ipv4Sources, ipv6Sources
  /// IPV6_DSTOPTS. They go into each packet, and take their room from what it carries.
  case headerOptions
  /// TCP_MD5SIG: keys for peers that the socket has nothing to do with.
  case keys
  /// BPF socket storage, which somebody else may give a socket as well.
  case storage

  public func applies(to family: Family, isStream: Bool = true) -> Bool {
    switch self {
    case .filter, .program, .storage: true
    case .ipv4Groups, .ipv4Sources: family != .unix
    case .ipv6Groups, .ipv6Sources, .headerOptions: family == .ipv6
    case .keys: family != .unix && isStream
    }
  }

  public func set(on descriptor: CInt) -> Bool { apply(amounts.set, to: descriptor) }

  /// Replaces what was set by less of it.
  public func change(on descriptor: CInt) -> Bool { apply(amounts.changed, to: descriptor) }

  /// Replaces what was set by what is charged exactly so many bytes less, such as one notification's.
  /// - Returns: `false` also where there is no such replacement: of several groups or keys each is charged by
  ///   itself, and the list of IPv4 sources is too short.
  public func shrink(on descriptor: CInt, by blockSize: Int) -> Bool {
    guard let bytesEach, blockSize % bytesEach == 0 else { return false }
    let rest = amounts.set - blockSize / bytesEach
    return rest >= amounts.least && apply(rest, to: descriptor)
  }

  public func remove(on descriptor: CInt) -> Bool { apply(0, to: descriptor) }

  /// In instructions, groups, sources, keys or bytes. A kernel by itself allows membership in 20 groups, a list of
  /// 10 IPv4 sources, one of 64 of IPv6, and 20 KiB in all.
  private var amounts: (set: Int, changed: Int, least: Int) {
    switch self {
    case .filter: (200, 40, 1)
    case .program: (200, 40, 2)
    case .ipv4Groups, .ipv6Groups: (12, 3, 1)
    case .ipv4Sources: (10, 2, 1)
    case .ipv6Sources: (64, 4, 1)
    case .headerOptions: (1_000, 8, 8)
    case .keys: (8, 2, 1)
    case .storage: (1_024, 64, 8)
    }
  }

  /// By how many bytes the charge falls with each that there is less of.
  private var bytesEach: Int? {
    switch self {
    case .filter, .program: 8
    case .ipv6Sources: 16
    // Charged by the byte, in steps of 8.
    case .headerOptions, .storage: 1
    case .ipv4Groups, .ipv6Groups, .ipv4Sources, .keys: nil
    }
  }

  private func apply(_ amount: Int, to descriptor: CInt) -> Bool {
    let amount = CInt(amount)
    let result =
      switch self {
      case .filter: cts_attach_filter(descriptor, amount)
      case .program: cts_attach_program(descriptor, amount)
      case .ipv4Groups: cts_join_groups(descriptor, AF_INET, amount)
      case .ipv6Groups: cts_join_groups(descriptor, AF_INET6, amount)
      case .ipv4Sources: cts_list_sources(descriptor, AF_INET, amount)
      case .ipv6Sources: cts_list_sources(descriptor, AF_INET6, amount)
      case .headerOptions: cts_set_header_options(descriptor, amount)
      case .keys: cts_add_keys(descriptor, amount)
      case .storage: cts_store(descriptor, amount)
      }
    return result == 0
  }
}
