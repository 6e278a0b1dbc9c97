import CTestSupport
import CZeroCopy
import Synchronization
import SystemPackage

/// Faults in what a descriptor's system calls answer: sends that are short or fail, notifications that come
/// late, out of order, twice, or not at all. The library under test is unchanged, and the kernel is real.
///
/// They stay with the descriptor until it is closed, or until `remove()`, whatever becomes of this object.
/// All random choices come from one seed.
public final class Faults: Sendable {
  private let descriptor: CInt
  private let plan: Mutex<FaultPlan>

  /// - Parameters:
  ///   - descriptor: Of a socket that nobody sends on now.
  ///   - earlierSends: How many ids the socket's zero-copy sends have taken before.
  ///   - firstID: The id that its next zero-copy send appears to take: for ids that wrap. Only an adopted
  ///     socket learns where its counter stands (rule 6).
  public init(
    on descriptor: FileDescriptor, seed: UInt64 = 1, earlierSends: UInt32 = 0, firstID: UInt32? = nil
  ) throws {
    self.descriptor = descriptor.rawValue
    var template = cts_message()
    cts_make_message(descriptor.rawValue, &template)
    plan = Mutex(
      FaultPlan(
        seed: seed, template: template, blockSize: UInt32(max(0, czc_notification_block_size())),
        kernelID: earlierSends, firstID: firstID ?? earlierSends))
    let hooks = cts_hooks(
      context: Unmanaged.passRetained(self).toOpaque(),
      send: { context, length, zeroCopy in
        Faults.at(context) { $0.send(byteCount: length, zeroCopy: zeroCopy) }
      },
      sent: { context, zeroCopy in Faults.at(context) { $0.sent(zeroCopy: zeroCopy) } },
      refused: { context, errno in Faults.at(context) { $0.refused(Errno(rawValue: errno)) } },
      absorb: { context, message in Faults.at(context) { [message = message!.pointee] in $0.absorb(message) }
      },
      next: { context, index, message in
        guard let found = Faults.at(context, { $0.next(index: Int(index)) }) else { return false }
        message!.pointee = found
        return true
      },
      memory: { context in Faults.at(context) { $0.memory } },
      events: { context in Faults.at(context) { $0.events() } },
      end: { context in Unmanaged<Faults>.fromOpaque(context!).release() })
    let result = cts_set_hooks(descriptor.rawValue, hooks)
    if result != 0 {
      Unmanaged.passUnretained(self).release()
      throw SystemFailure(call: "hooks of a descriptor", errno: -result)
    }
  }

  private static func at<Value: Sendable>(
    _ context: UnsafeMutableRawPointer?, _ body: (inout FaultPlan) -> Value
  ) -> Value {
    Unmanaged<Faults>.fromOpaque(context!)._withUnsafeGuaranteedRef { faults in
      faults.plan.withLock { body(&$0) }
    }
  }

  /// Ends the faults. Notifications that are held back are lost then: see `calm()`.
  public func remove() {
    cts_remove_hooks(descriptor, Unmanaged.passUnretained(self).toOpaque())
  }

  /// No more faults; what is held back is delivered with the next read.
  public func calm() {
    plan.withLock {
      $0.nextSends = []
      $0.decide = nil
      $0.chances = SendChances()
      $0.notifications = NotificationFaults()
    }
  }

  /// What has happened so far.
  public var counts: FaultCounts { plan.withLock { $0.counts } }

  /// What becomes of the next sends, one after the other, before anything else that is planned.
  public func nextSends(_ faults: [SendFault]) {
    plan.withLock { $0.nextSends += faults }
  }

  /// The next sends fail.
  public func failSends(with errno: Errno, times: Int = 1) {
    nextSends(Array(repeating: .failure(errno), count: times))
  }

  /// What becomes of each send, by its number from now on and its size.
  public func sends(_ decide: @escaping @Sendable (_ number: Int, _ byteCount: Int) -> SendFault) {
    plan.withLock { $0.decide = decide }
  }

  /// What becomes of sends by chance. Only zero-copy sends run out of buffer space.
  public func random(_ chances: SendChances) {
    plan.withLock { $0.chances = chances }
  }

  /// Puts a notification on the error queue that no send has caused.
  public func inject(first: UInt32, last: UInt32) {
    plan.withLock { $0.inject(first: first, last: last) }
  }

  /// What becomes of notifications.
  public func notifications(_ change: (inout NotificationFaults) -> Void) {
    plan.withLock { change(&$0.notifications) }
  }
}
