import Glibc
import SystemPackage
import TestSupport
import ZeroCopy

/// Datagrams, some of them several in a send, each of which begins with its place in the pattern. Some may be lost, none may be changed, and
/// each send is released exactly once, also where sends fail that have taken an id (rule 2).
struct DatagramSession {
  private let plan: Plan

  init(_ plan: Plan) { self.plan = plan }

  func run() throws -> Tally {
    let made = Handoff<Inbox>()
    let plan = plan
    if plan.network == .wire {
      try Lane.atOtherEnd { made.put(try Inbox("10.77.0.2", plan.pattern)) }
    } else {
      made.put(try Inbox("127.0.0.1", plan.pattern))
    }
    let inbox = made.take()
    let endpoint = inbox.endpoint
    var socket = try plan.prepared(
      ZeroCopySocket.connect(to: endpoint, configuration: Configuration(writeTimeout: plan.writeTimeout)))
    let isDone = Flag()
    let handed = Handoff(inbox)
    let receiving = Background { try handed.take().receive(until: isDone) }
    defer { isDone.raise() }

    if plan.failsDatagrams { socket.setOption(CInt(IPPROTO_IP), IP_RECVERR, 1) }
    var tally = try send(through: &socket)
    isDone.raise()
    tally.bytesChecked = try receiving.value()
    return tally
  }

  private func send(through socket: inout ZeroCopySocket) throws -> Tally {
    var random = SeededGenerator(seed: plan.seed &+ 2)
    var slots = Slots(count: plan.slotCount, size: plan.slotSize, isProtected: plan.isProtected)
    var tally = Tally(sessions: 1)
    var disturbance = Disturbance.begin(plan, on: socket)
    var mode = plan.mode
    var offset = 0
    var end = plan.volume
    while offset < end {
      if slots.free == nil {
        let oldest = slots.oldestEnd
        try Disturbance.patiently(&disturbance, &socket) { socket, timeout throws(ZeroCopyError) in
          try socket.waitForRelease(before: oldest, timeout: timeout)
        }
        slots.sweep(socket)
      }
      guard let index = slots.free else {
        throw Trouble("the wait for memory ended, and nothing was released")
      }
      try disturbance?.act(on: &socket)
      slots.sweep(socket)
      let size = Int.random(in: plan.datagramSizes, using: &random)
      let memory = UnsafeMutableRawBufferPointer(rebasing: slots.memory(index)[..<size])
      let segmentSize = Bool.random(using: &random) ? nil : Int.random(in: 1000...9000, using: &random)
      for start in stride(from: 0, to: size, by: segmentSize ?? size) {
        let stop = min(size, start + (segmentSize ?? size))
        fill(UnsafeMutableRawBufferPointer(rebasing: memory[start..<stop]), from: offset + start)
      }
      // Segmentation without checksums is refused only once the datagram is built, and has taken an id.
      let fails = plan.failsDatagrams && Int.random(in: 0..<4, using: &random) == 0
      if fails { setRefused(socket, true) }
      let first = socket.nextSend
      do throws(ZeroCopyError) {
        if let segmentSize {
          try socket.writeAll(UnsafeRawBufferPointer(memory), mode: mode, segmentSize: segmentSize)
        } else {
          try socket.writeAll(UnsafeRawBufferPointer(memory), mode: mode)
        }
        tally.bytesSent += size
      } catch {
        tally.failedSends += 1
        let isExpected = [
          .system, .wouldBlock, .datagramDropped, .timedOut, .inFlightLimit, .notificationMemoryLimit,
          .lockedMemoryLimit, .messageTooLong, .connectionRefused, .segmentationUnavailable,
        ].contains(error.code)
        let isUnavailable = error.code == .zeroCopyUnavailable && plan.mayBecomeUnavailable
        guard isExpected || isUnavailable, error.isSocketUsable else { throw error }
        if isUnavailable {
          mode = .automatic
          end = min(end, offset + plan.volumeOfCopies)
        }
        // It has waited in vain.
        if error.code == .inFlightLimit { disturbance?.calm(socket) }
      }
      if fails { setRefused(socket, false) }
      slots.lend(index, for: first..<socket.nextSend)
      offset += size
      if Int.random(in: 0..<8, using: &random) == 0 { try socket.reap() }
      slots.sweep(socket)
    }
    do throws(ZeroCopyError) {
      try Disturbance.patiently(&disturbance, &socket) { socket, timeout throws(ZeroCopyError) in
        try socket.flush(timeout: timeout)
      }
    } catch {
      guard error.code == .connectionRefused else { throw error }
    }
    let statistics = socket.statistics
    guard statistics.inFlight == 0, statistics.completed == statistics.zeroCopySends else {
      throw Trouble("the flush ended with sends in flight: \(statistics)")
    }
    try plan.checkIDs(statistics)
    slots.sweep(socket)
    tally.zeroCopySends = statistics.zeroCopySends
    tally.completed = statistics.completed
    tally.copied = statistics.copied
    tally.fallbacks = statistics.fallbacks
    tally.settled = statistics.settled
    tally.disturbed = plan.disturbance == nil ? 0 : 1
    tally.unavailable = socket.availability.isAvailable ? 0 : 1
    return tally
  }

  private func fill(_ datagram: UnsafeMutableRawBufferPointer, from offset: Int) {
    // What is shorter says nothing, and is not looked at.
    guard datagram.count > 8 else { return }
    datagram.storeBytes(of: UInt64(offset), as: UInt64.self)
    plan.pattern.fill(UnsafeMutableRawBufferPointer(rebasing: datagram[8...]), from: offset)
  }

  private func setRefused(_ socket: borrowing ZeroCopySocket, _ isRefused: Bool) {
    socket.setOption(CInt(IPPROTO_UDP), 103, isRefused ? 1000 : 0)
    socket.setOption(SOL_SOCKET, SO_NO_CHECK, isRefused ? 1 : 0)
  }
}

/// A bound UDP socket that checks what comes.
struct Inbox: ~Copyable, Sendable {
  private let number: CInt
  private let pattern: Pattern
  let endpoint: String

  init(_ host: String, _ pattern: Pattern) throws {
    number = socket(AF_INET, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    self.pattern = pattern
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    inet_pton(AF_INET, host, &address.sin_addr)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    var timeout = timeval(tv_sec: 0, tv_usec: 200_000)
    let number = number
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(number, $0, size) == 0 && getsockname(number, $0, &size) == 0
          && setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size)) == 0
      }
    }
    endpoint = "udp:\(host):\(UInt16(bigEndian: address.sin_port))"
    guard result else { throw SystemFailure(call: "binding \(host)", errno: errno) }
  }

  deinit { close(number) }

  /// Goes on until nothing more comes after the flag.
  /// - Returns: How many bytes were checked.
  func receive(until isDone: Flag) throws -> Int {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    var checked = 0
    while true {
      let count = recv(number, buffer.baseAddress, buffer.count, 0)
      if count < 0, errno == EAGAIN, isDone.isRaised { return checked }
      guard count > 8 else { continue }
      let offset = Int(truncatingIfNeeded: buffer.load(as: UInt64.self))
      let rest = UnsafeRawBufferPointer(rebasing: buffer[8..<count])
      guard (0..<1 << 32).contains(offset), let fault = pattern.firstFault(in: rest, at: offset) else {
        guard (0..<1 << 32).contains(offset) else {
          throw Trouble("CORRUPTION of a datagram's head: \(buffer.prefix(8).map { $0 })")
        }
        checked += rest.count
        continue
      }
      throw Trouble(
        "CORRUPTION of a datagram at byte \(fault) of \(count): \(rest[fault...].prefix(16).map { $0 })")
    }
  }
}
