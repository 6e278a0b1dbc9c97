#if os(Linux)
  import CZeroCopy
  import Glibc

  /// Memory to send from. It is never freed and never written again, as the kernel may read it after the
  /// test that sent it has ended.
  enum Payload {
    static let size = 1 << 20
    nonisolated(unsafe) static let start: UnsafeMutableRawPointer = {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
      memory.initializeMemory(as: UInt8.self, repeating: 0x5A, count: size)
      return memory
    }()
  }

  /// Sends from the payload, zero copy unless told otherwise.
  func send(_ socket: Int32, _ count: Int, flags: Int = CZC_SEND_ZEROCOPY) -> Int64 {
    var buffer = czc_buffer(base: Payload.start, length: count)
    return czc_send(socket, &buffer, 1, Int32(flags))
  }

  /// Whether a test may have many sends in flight: their pages count against the user's limit of locked
  /// memory (rule 16), which tests that run at the same time share.
  let lockedMemoryIsAmple = czc_locked_memory_unlimited() == 1 || czc_locked_memory_limit() >= 4 << 20

  /// What was taken off an error queue.
  struct Drained {
    var messages = 0
    var foreign = 0
    var truncated = 0
    var notifications: [czc_notification] = []

    /// Every id, as often as it was reported, in order.
    var ids: [UInt32] { notifications.flatMap { Array($0.first...$0.last) }.sorted() }
    var allCopied: Bool { notifications.allSatisfy { $0.copied } }
  }

  /// Reads an error queue until it is empty.
  func drain(_ socket: Int32) throws -> Drained {
    var drained = Drained()
    let capacity = Int(CZC_MAX_NOTIFICATIONS)
    var buffer = [czc_notification](repeating: czc_notification(), count: capacity)
    var reaped = czc_reaped()
    repeat {
      _ = try checked(czc_read_notifications(socket, &buffer, Int32(capacity), &reaped))
      drained.messages += Int(reaped.messages)
      drained.foreign += Int(reaped.foreign)
      drained.truncated += Int(reaped.truncated)
      drained.notifications += buffer.prefix(Int(reaped.notifications))
    } while reaped.messages == capacity
    return drained
  }

  /// Reads an error queue until `count` ids are reported, or nothing has come for ten seconds.
  func drain(_ socket: Int32, until count: Int) throws -> Drained {
    let waiter = try Descriptor(czc_waiter_open(socket))
    var all = Drained()
    repeat {
      let part = try drain(socket)
      all.messages += part.messages
      all.foreign += part.foreign
      all.truncated += part.truncated
      all.notifications += part.notifications
    } while all.ids.count < count && czc_waiter_wait(waiter.number, tenSeconds) > 0
    return all
  }

  /// Takes all that has arrived off a stream, without waiting.
  func discardInput(_ socket: Int32) {
    var memory = [UInt8](repeating: 0, count: 1 << 16)
    while recv(socket, &memory, memory.count, Int32(MSG_DONTWAIT)) > 0 {}
  }

  /// Waits until the kernel counts no notification block, in flight or unread, of a socket.
  func waitUntilAtRest(_ socket: Int32, baseline: Int64) -> Bool {
    for _ in 0..<10_000 {
      if czc_option_memory(socket) == baseline { return true }
      usleep(1_000)
    }
    return false
  }
#endif
