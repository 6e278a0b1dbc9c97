/// A kernel's side of one socket, of which everything is known: which memory it still reads, what it has reported, and
/// what its readings would say. Shared with the fuzzer.
///
/// It may take none or several ids for a send, serve another owner of the socket, finish in any order, merge what it
/// reports, report it twice or not at all, and use option memory for whatever others have set.
struct SimulatedKernel {
  /// Who has what a block keeps the kernel reading.
  enum Owner: Equatable {
    case ours(Int)
    case another
  }

  private struct Block {
    let owner: Owner
    let id: UInt32
    /// Where the stream stands behind it.
    let streamEnd: Int
  }

  /// A message on the error queue.
  struct Message {
    var first: UInt32
    var last: UInt32
  }

  private var blocks: [Block] = []
  private(set) var queue: [Message] = []
  /// The id that the next send takes.
  private(set) var nextID: UInt32
  /// Option memory that is none of notification blocks.
  var otherMemory: Int64
  var blockSize: Int64 = 832
  var isOptionOn = true
  /// Bytes written, by everybody, and of those acknowledged.
  private(set) var written = 0
  private(set) var acknowledged = 0
  private(set) var isOver = false

  init(nextID: UInt32, otherMemory: Int64) {
    self.nextID = nextID
    self.otherMemory = otherMemory
  }

  /// Whether the memory of one of our sends may still be read.
  func reads(_ send: Int) -> Bool { blocks.contains { $0.owner == .ours(send) } }

  var blockCount: Int { blocks.count }
  var optionMemory: Int64 { otherMemory + Int64(blocks.count + queue.count) * blockSize }
  var unacknowledged: Int { isOver ? 0 : written - acknowledged }

  // MARK: Sending

  mutating func write(_ byteCount: Int) { written += byteCount }

  /// A send takes so many ids, each with a block of its own.
  mutating func send(_ owner: Owner, ids: Int) {
    for _ in 0..<ids {
      blocks.append(Block(owner: owner, id: nextID, streamEnd: written))
      nextID &+= 1
    }
  }

  /// A call that failed and took an id all the same, which is on the queue already (rule 2).
  mutating func reportRefused() {
    report(nextID)
    nextID &+= 1
  }

  // MARK: Finishing

  mutating func acknowledge(_ byteCount: Int) { acknowledged = min(written, acknowledged + byteCount) }

  /// A reset: nothing is acknowledged any more, and what was queued is thrown away.
  mutating func end() { isOver = true }

  /// Finishes a block and reports it.
  mutating func finish(at index: Int) { report(blocks.remove(at: index).id) }

  /// Of a stream: all blocks that the peer has acknowledged.
  mutating func finishAcknowledged() {
    while let index = blocks.firstIndex(where: { isOver || $0.streamEnd <= acknowledged }) {
      finish(at: index)
    }
  }

  /// Whether a block may be finished: of a stream, whether its bytes are acknowledged.
  func mayFinish(at index: Int, isStream: Bool) -> Bool {
    !isStream || isOver || blocks[index].streamEnd <= acknowledged
  }

  /// Unread notifications that are consecutive merge (rule 8).
  private mutating func report(_ id: UInt32) {
    if let tail = queue.last, tail.last &+ 1 == id {
      queue[queue.count - 1].last = id
    } else {
      queue.append(Message(first: id, last: id))
    }
  }

  // MARK: Reading

  mutating func read() -> Message? { queue.isEmpty ? nil : queue.removeFirst() }

  /// Somebody else reads the queue.
  mutating func steal() { if !queue.isEmpty { queue.removeFirst() } }
}
