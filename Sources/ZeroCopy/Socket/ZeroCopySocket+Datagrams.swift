internal import CZeroCopy
public import DequeModule

/// Several sends in one system call.
extension ZeroCopySocket {
  /// Sends several datagrams, each whole, in order, with as few system calls as it takes: possibly only the first ones.
  ///
  /// Waits on a blocking descriptor as `writev` does. It ends with the first datagram that fails, and returns how many
  /// went before; call it again with the rest, and that one's error is thrown, or it goes now. The corresponding system
  /// call is `sendmmsg`, for at most 256 datagrams each; off Linux it is `send`, once for each.
  ///
  /// **With zero copy the memory must neither change nor be freed until a `flush` has confirmed it**, that of a
  /// datagram that failed too. Each datagram takes a notification of its own.
  /// - Parameters:
  ///   - datagrams: The memory of each; an empty one is a datagram of no bytes.
  ///   - mode: `nil` for the mode of the socket's configuration. `.automatic` decides for all of them, by their mean
  ///     size.
  ///   - segmentSize: Cuts each of them into datagrams of so many bytes, as `writeAll` with a segment size does.
  /// - Returns: How many were accepted: at least 1, and 0 only where there were none.
  /// - Throws: As `writev`, where the first is not accepted; `.invalidArgument` on sockets that are not of datagrams.
  @unsafe
  public mutating func writeDatagrams(
    _ datagrams: Span<UnsafeRawBufferPointer>, mode: WriteMode? = nil, segmentSize: Int? = nil
  ) throws(ZeroCopyError) -> Int {
    try connection.beginDatagrams(segmentSize)
    defer { connection.endCutting() }
    return unsafe try writeDatagrams(datagrams.count, mode) {
      let datagram = unsafe datagrams[$0]
      return unsafe czc_buffer(datagram)
    } keeping: { _ in
      .callersMemory
    }
  }

  /// As `writeDatagrams` over a span.
  @unsafe @inlinable
  public mutating func writeDatagrams(
    _ datagrams: [UnsafeRawBufferPointer], mode: WriteMode? = nil, segmentSize: Int? = nil
  ) throws(ZeroCopyError) -> Int {
    try unsafe writeDatagrams(datagrams.span, mode: mode, segmentSize: segmentSize)
  }

  /// Sends buffers from the front of a queue, each as one datagram, with as few system calls as it takes, and gives them
  /// to the kernel: what was not accepted stays in the queue.
  ///
  /// Otherwise as `writeDatagrams`. A datagram that was dropped on its way out, and whose memory the kernel may still
  /// read, leaves the queue too; its buffer returns to its pool as soon as that is safe.
  /// - Returns: How many were accepted: at least 1, and 0 only where there were none.
  /// - Throws: As `writeDatagrams`, where the first is not accepted.
  public mutating func sendDatagrams(
    from queue: inout UniqueDeque<SendBuffer>, mode: WriteMode? = nil, segmentSize: Int? = nil
  ) throws(ZeroCopyError) -> Int {
    try connection.beginDatagrams(segmentSize)
    var accepted = 0
    defer {
      connection.endCutting()
      for _ in 0..<accepted { queue.removeFirst().share.noteInFlight() }
      // Of one that was dropped the kernel may hold a part.
      if !queue.isEmpty, queue[0].share.isShared { queue.removeFirst().share.noteInFlight() }
    }
    // A slot's memory lives as long as an owner of it: that is the queue, or the ledger.
    accepted = unsafe try writeDatagrams(queue.count, mode) {
      unsafe czc_buffer(base: UnsafeRawPointer(queue[$0].memory.baseAddress), length: queue[$0].count)
    } keeping: {
      .slot(queue[$0].share.another())
    }
    return accepted
  }

  /// In lists of at most as many as a system call takes.
  private mutating func writeDatagrams(
    _ count: Int, _ mode: WriteMode?, _ datagram: (Int) -> czc_buffer, keeping: (Int) -> Keeping
  ) throws(ZeroCopyError) -> Int {
    let mode = mode ?? connection.configuration.mode
    let capacity = min(count, Int(CZC_MAX_DATAGRAMS))
    return try unsafe withTemporary(capacity) { (list) throws(ZeroCopyError) in
      var done = 0
      while done < count {
        let offered = min(count - done, capacity)
        for index in 0..<offered { unsafe list.initializeElement(at: index, to: datagram(done + index)) }
        let accepted = unsafe try connection.writeDatagrams(
          DatagramList(start: UnsafePointer(list.baseAddress!), count: offered), mode: mode,
          isFirst: done == 0,
          .asDescriptor
        ) { keeping(done + $0) }
        done += accepted
        if accepted < offered { return done }
      }
      return done
    }
  }
}
