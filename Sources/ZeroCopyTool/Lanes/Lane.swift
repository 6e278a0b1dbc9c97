import CLanes
import SystemPackage

/// A network on this machine in which zero copy really happens, as it does not on loopback.
///
/// It consists of network namespaces that have no name: they end with the processes that are in them,
/// however those end, and two of a kind know nothing of each other.
enum Lane {
  /// A device that swallows every packet: what sending costs, and nothing else. Datagrams only.
  case sink
  /// A cable to a second network, whose card copies what it receives: TCP as between two machines.
  case wire(late: LateCompletion?)

  /// What holds packets, and with them memory, after the socket is done with them.
  enum LateCompletion: String, CaseIterable {
    /// A queueing discipline that lets 4 Mbit/s through.
    case qdisc
    /// A receiving card that is hardly ever served.
    case card
  }

  /// Why there is no such lane here.
  struct Unavailable: Error, CustomStringConvertible {
    let description: String
  }

  /// Moves this process into the lane, which must have a single thread so far, and says in the environment
  /// of what it starts where it is: ZEROCOPY_LANE, its kind; ZEROCOPY_LANE_PEER_NETWORK, on the wire, a
  /// path to the other end's network. We are 10.77.0.1 and fd77::1, the peer is 10.77.0.2 and fd77::2.
  /// - Parameter asNewUser: In a user namespace, as one who is not root does in any case.
  func enter(asNewUser: Bool) throws {
    guard try succeeds("ip -V && tc -V") else {
      throw Unavailable(description: "it needs the commands ip and tc (package iproute2)")
    }
    switch self {
    case .sink: try enterSink(asNewUser: asNewUser || !isRoot)
    case .wire(let late):
      guard isRoot, !asNewUser else {
        throw Unavailable(description: "the wire needs root of this machine; the sink does not")
      }
      try enterWire(late: late)
    }
  }

  private var isRoot: Bool { cln_is_root() }

  private func enterSink(asNewUser: Bool) throws {
    let result = cln_enter_new_network(asNewUser)
    guard result == 0 else {
      let what = asNewUser ? "user namespaces are not allowed" : "no network namespace can be made"
      throw Unavailable(description: "\(what) (\(Errno(rawValue: -result)))")
    }
    try run(
      """
      ip link set lo up
      ip link add s0 mtu 65535 type ifb
      ip address add 10.77.0.1/24 dev s0
      ip link set s0 up
      ip neighbour add 10.77.0.2 lladdr 02:00:00:00:00:02 dev s0
      ! ip address add fd77::1/64 dev s0 nodad || ip neighbour add fd77::2 lladdr 02:00:00:00:00:02 dev s0
      """, "the device ifb (module ifb)")
    try set("ZEROCOPY_LANE", "sink")
  }

  private func enterWire(late: LateCompletion?) throws {
    try check(cln_enter_new_network(false), "a network namespace")
    let peer = try check(cln_network(), "a network namespace")
    try check(cln_enter_new_network(false), "a network namespace")
    let here = try check(cln_network(), "a network namespace")
    let id = cln_process()
    // Of all lanes only this one has a thread of the kernel with that name.
    let card = "p\(id)"
    try run(
      """
      ip link set lo up
      ip link add w0 address 02:00:00:00:00:01 type veth \
        peer name \(card) address 02:00:00:00:00:02 netns /proc/\(id)/fd/\(peer)
      """, "a pair of devices (module veth)")
    try check(cln_enter_network(peer), "the other end's network")
    // C keeps no pointer to the name.
    try unsafe check(cln_attach_pass_program(card), "an XDP program")
    // Its own mount of /sys shows the devices of its own network.
    try run(
      """
      ip link set lo up
      ip link set \(card) mtu 65535 up
      ip address add 10.77.0.2/24 dev \(card)
      ip address add fd77::2/64 dev \(card) nodad || true
      unshare --mount sh -ec 'mount -t sysfs lane /sys; echo 1 > /sys/class/net/\(card)/threaded'
      """, "a card whose packets a thread receives")
    try check(cln_enter_network(here), "our own network")
    try run(
      """
      ip link set w0 mtu 65535 up
      ip address add 10.77.0.1/24 dev w0
      ip address add fd77::1/64 dev w0 nodad || true
      for name in /proc/[0-9]*/comm; do
        case $(cat $name 2>/dev/null) in napi/\(card)-*)
          thread=${name#/proc/} thread=${thread%/comm}
          taskset -cp $(($(getconf _NPROCESSORS_ONLN) - 1)) $thread >/dev/null
          \(late == .card ? "chrt --idle -p 0 $thread" : ":");;
        esac
      done
      \(late == .qdisc ? "tc qdisc add dev w0 root tbf rate 4mbit burst 128k limit 4m" : ":")
      """, "the wire")
    if late == .card { try check(cln_occupy_last_processor(), "a busy processor") }
    try set("ZEROCOPY_LANE", "wire")
    try set("ZEROCOPY_LANE_PEER_NETWORK", "/proc/\(id)/fd/\(peer)")
    if let late { try set("ZEROCOPY_LANE_LATE", late.rawValue) }
  }

  /// The commands' own complaints go to standard error before ours.
  private func run(_ script: String, _ what: String) throws {
    // C keeps no pointer to the script.
    guard try unsafe check(cln_run_script(script), "a shell") == 0 else {
      throw Unavailable(description: "this machine gives no \(what)")
    }
  }

  private func succeeds(_ script: String) throws -> Bool {
    // C keeps no pointer to the script.
    try unsafe check(cln_run_script("{ \(script); } >/dev/null 2>&1"), "a shell") == 0
  }

  private func set(_ name: String, _ value: String) throws {
    // C copies both.
    try unsafe check(cln_set_variable(name, value), "an environment")
  }

  @discardableResult
  private func check(_ result: CInt, _ what: String) throws -> CInt {
    guard result >= 0 else {
      throw Unavailable(description: "this machine gives no \(what) (\(Errno(rawValue: -result)))")
    }
    return result
  }
}
