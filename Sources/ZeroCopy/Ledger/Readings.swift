/// What an account is told of the kernel, as values: no call of an account makes a system call.

/// How sure an account is of whose an id is.
package enum Certainty: Equatable, Sendable {
  /// Each id names its send.
  case exact
  /// It is not known where the kernel's counter stands: the first send goes alone (rule 6). The newest id that has
  /// come meanwhile is its own, once nothing is out any more. `mayLack`: none may come, for a reason that is known.
  case learning(newest: UInt32?, mayLack: Bool = false)
  /// Ids may be lost, or a number is held that took none. Those that come are believed; of a datagram socket that others
  /// may send on, only once no block is out.
  case uncertain
  /// Ids do not fit the sends. None is believed.
  case mistrusted
}

/// What has to agree with the ids before a send is released.
package enum Witness: Sendable {
  /// None is needed: nobody else can have taken an id. Or none is left: the connection is over.
  case unneeded
  /// TCP: the peer has acknowledged the stream up to here. What it has not acknowledged the kernel keeps, whatever
  /// ids have come: one of them was another send's (rule 34).
  case acknowledged(UInt64)
  /// A descriptor that others may send on: so much option memory was used while the queue was empty. One unread
  /// message may be of several sends.
  case optionMemory(Int64)
}

/// What the kernel says of a socket whose error queue was just read to its end.
package struct RestReading: Sendable {
  /// CLOCK_MONOTONIC in nanoseconds.
  package var at: UInt64
  /// SO_MEMINFO; negative where it cannot be read.
  package var optionMemory: Int64
  /// SIOCOUTQ is 0, or the connection is over: nothing will be acknowledged any more.
  package var isAcknowledged: Bool
  /// SO_ZEROCOPY reads as on.
  package var isOptionOn: Bool
  /// Somebody else has, or has had, the descriptor, and may have set what takes option memory.
  package var wasLent: Bool

  package init(
    at: UInt64, optionMemory: Int64, isAcknowledged: Bool, isOptionOn: Bool = true, wasLent: Bool = false
  ) {
    self.at = at
    self.optionMemory = optionMemory
    self.isAcknowledged = isAcknowledged
    self.isOptionOn = isOptionOn
    self.wasLent = wasLent
  }
}

/// How a socket was at the first of two readings that have to agree.
struct FirstReading: Sendable {
  let since: UInt64
  let optionMemory: Int64
  let messagesRead: Int
  let next: UInt64
}

/// What became of sends whose ids will not come.
package struct Settlement: Equatable, Sendable {
  /// What the socket does from then on.
  package enum Consequence: Equatable, Sendable {
    case none
    /// SO_ZEROCOPY was switched off: it copies.
    case optionIsOff
    /// A send was not notified, although nothing is known that has lost its id: it copies.
    case neverNotified
    /// Again and again ids came that were not its own: it copies.
    case foreignIDs
  }

  /// Sends of which nothing is out any more.
  package var released = 0
  /// Sends that cannot be told from those that are out: what they keep is never used again.
  package var givenUp = 0
  package var consequence = Consequence.none

  package init() {}
}

/// What an account wants to know of a send that it keeps.
package protocol AccountedSend: ~Copyable {
  /// Where the stream stands behind it.
  var streamEnd: UInt64 { get }
  /// Whether what it keeps can be given up for good: a pool's pages, an object. Not memory of the caller's.
  var canBeGivenUp: Bool { get }
}
