internal import CZeroCopy
internal import SystemPackage

/// What reading needs: the same for a socket and for its readers.
struct ReadSide: Sendable {
  let number: CInt
  let facts: czc_socket_facts
  let timeout: Duration?
  let fate: Fate
  /// The socket's own descriptor, of which `number` may be a duplicate.
  let socket: Descriptor

  private var isDatagram: Bool { facts.type == CZC_DATAGRAM }

  /// recv(2), until bytes come, the stream ends, or the time is up.
  func receive(into span: inout MutableSpan<UInt8>) throws(ZeroCopyError) -> Int {
    // The pointer does not leave the call.
    try unsafe span.withUnsafeMutableBufferPointer { (buffer) throws(ZeroCopyError) -> Int in
      try unsafe receive(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  @unsafe func receive(into buffer: UnsafeMutableRawBufferPointer) throws(ZeroCopyError) -> Int {
    guard unsafe !buffer.isEmpty else { return 0 }
    var patience = Patience(timeout)
    while true {
      let count = unsafe czc_receive(number, buffer.baseAddress, buffer.count, isDatagram)
      if count > buffer.count { throw .datagramCut(Int(count), buffer.count) }
      if count > 0 || (count == 0 && isDatagram) { return Int(count) }
      if count == 0 {
        if let failure = brokenEnd { throw failure }
        return 0
      }
      let errno = Errno(rawValue: CInt(-count))
      if errno == .interrupted, patience.isLeft { continue }
      throw failure(errno)
    }
  }

  /// Why an end of the stream is none that the peer has sent.
  private var brokenEnd: ZeroCopyError? {
    // First: what is asked below may change while it is asked, and then explains the state, not the reverse.
    let isOver = facts.is_tcp && czc_tcp_is_closed(number) == 1
    if let loss = fate.loss {
      // EPIPE is what a write gets after the peer's end was there: the stream itself is whole.
      return loss == .brokenPipe ? nil : .lost(loss, "reading")
    }
    if socket.wasClosed || socket.wasShutDown {
      // Ours, unless the peer's end was there before.
      if facts.is_tcp, czc_tcp_peer_has_ended(number) == 1 { return nil }
      return socket.wasClosed ? .closed : .shutDown
    }
    // The peer's end alone leaves TCP half open: closed before we have ended our side, it is a loss, whose
    // error a write on another thread has just taken.
    return isOver && !fate.hasFinishedWriting ? .lost(fate.loss ?? .connectionReset, "reading") : nil
  }

  private func failure(_ errno: Errno) -> ZeroCopyError {
    switch errno {
    case .resourceTemporarilyUnavailable where czc_is_nonblocking(number) == 1: return .wouldBlock
    case .resourceTemporarilyUnavailable, .interrupted:
      return .timedOut("reading", "the peer has sent nothing")
    default: break
    }
    guard !isDatagram else { return .failure(errno, "reading") }
    if errno.endsStream(number, isTCP: facts.is_tcp) { fate.record(errno) }
    if let loss = fate.loss { return .lost(loss, "reading") }
    return .failure(errno, "reading", isTCP: facts.is_tcp)
  }
}

/// Bounds a call that the kernel bounds by itself, but anew after each signal. The clock is read only
/// once there was one.
struct Patience {
  private let timeout: Duration?
  private var deadline: Deadline?

  init(_ timeout: Duration?) { self.timeout = timeout }

  /// Where the whole wait has its own end.
  init(until deadline: Deadline) {
    timeout = nil
    self.deadline = deadline
  }

  /// Whether to try again after EINTR.
  var isLeft: Bool {
    mutating get {
      if let deadline { return !deadline.hasPassed }
      deadline = Deadline(after: timeout)
      return true
    }
  }
}
