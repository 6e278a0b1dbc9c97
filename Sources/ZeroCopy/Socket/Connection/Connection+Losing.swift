internal import CZeroCopy
internal import SystemPackage

/// Finding out, and remembering, that a connection is over.
extension Connection {
  /// Asks whether TCP has given the connection up, and keeps the answer.
  ///
  /// Only of a socket that is closed: else SO_ERROR also answers with errors that TCP itself lives on with
  /// (a route that was gone for a moment). Not for datagrams, where it answers an earlier one.
  mutating func noteLoss() {
    guard facts.is_tcp, !isPurged, fate.loss == nil, czc_tcp_is_closed(number) == 1 else { return }
    fate.collect(from: number)
  }

  /// Both directions are shut. After our own `finishWriting` that is the ordinary end, and ids still
  /// come (rule 14); they also come where TCP has given up and emptied its queues. A handle has told of itself. Else
  /// somebody with the descriptor has done it. Only TCP can leave a send without an end: others need not be told apart.
  mutating func noteHangUp() {
    guard facts.is_tcp else { return }
    noteLoss()
    if isPurged || fate.hasFinishedWriting || fate.loss != nil || descriptor.wasShutDown { return }
    if czc_tcp_is_closed(number) == 1 { return }
    wasShutDownElsewhere = true
  }

  /// Whether a shutdown from elsewhere ends a wait: once, so that the program is told, and can then
  /// collect what is in flight.
  mutating func takeShutDown() -> Bool {
    let told = toldShutDowns
    noteShutDownTold()
    return toldShutDowns != told
  }

  /// A call is about to throw `.shutDown`.
  private mutating func noteShutDownTold() {
    if descriptor.wasShutDown { toldShutDowns.byHandle = true }
    if wasShutDownElsewhere { toldShutDowns.byOthers = true }
  }

  /// The loss that no call has thrown yet.
  mutating func takeUntoldLoss(_ doing: String) -> ZeroCopyError? {
    guard !isLossTold, let loss = fate.loss else { return nil }
    isLossTold = true
    return .lost(loss, doing)
  }

  /// The error of a failed system call, remembered where it is the connection's end.
  mutating func failure(_ errno: Errno, _ doing: String = "writing") -> ZeroCopyError {
    if isDatagram {
      return errno == .noBufferSpace
        ? shortageError(.droppedDatagram, byteCount: 0) : .failure(errno, doing)
    }
    guard errno.endsStream(number, isTCP: facts.is_tcp) || errno == .socketNotConnected else {
      return .failure(errno, doing, isTCP: facts.is_tcp)
    }
    // EPIPE is also what follows a reset that was told before, and a shutdown of our own.
    if errno == .brokenPipe || errno == .socketNotConnected {
      noteLoss()
      let isOurs = fate.hasFinishedWriting || descriptor.wasShutDown || wasShutDownElsewhere
      if fate.loss == nil, isOurs || (facts.is_tcp && czc_tcp_is_closed(number) == 0) {
        noteShutDownTold()
        return .shutDown
      }
    }
    fate.record(errno)
    isLossTold = true
    return .lost(fate.loss ?? errno, doing)
  }
}
