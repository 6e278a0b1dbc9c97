// Sends the buffers of a pool in turn, and prints what that cost: processor seconds a GiB.
//
//   PoolSender [udp:]ADDRESS:PORT zerocopy|copy|automatic huge|standard COUNT SIZE SLOTS [SEGMENT]
//
// With SEGMENT each send is cut into datagrams of so many bytes.
//
// The buffers are filled once, and only marked as filled after that: what is measured is taking, sending and
// getting back. All of them go in turn, the one that was used longest ago first, so that the memory is as cold as
// its size makes it.
import DequeModule
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

struct Usage: Error {}

struct NoSuchPages: Error, CustomStringConvertible {
  let description: String
}

struct Job {
  let endpoint: String
  let mode: WriteMode
  let pages: Pages
  let count: Int
  let size: Int
  let slots: Int
  let segmentSize: Int?

  init(_ arguments: [String]) throws(Usage) {
    guard (7...8).contains(arguments.count),
      let mode = ["zerocopy": WriteMode.zeroCopy, "copy": .copy, "automatic": .automatic][arguments[2]],
      let pages = ["huge": Pages.huge, "standard": .standard][arguments[3]],
      let count = Int(arguments[4]), count > 0,
      let size = Int(arguments[5]), size > 0,
      let slots = Int(arguments[6]), slots > 0,
      let segmentSize = Int(arguments.count > 7 ? arguments[7] : "0")
    else { throw Usage() }
    self.segmentSize = arguments.count > 7 ? segmentSize : nil
    (self.endpoint, self.mode, self.pages, self.count, self.size, self.slots) = (
      arguments[1], mode, pages, count, size, slots
    )
  }
}

/// - Returns: Processor seconds.
func run(_ job: Job) throws -> Double {
  let pool = try BufferPool(bufferSize: job.size, count: job.slots, pages: job.pages)
  guard pool.pages == job.pages else { throw NoSuchPages(description: "got \(pool.pages)") }
  var socket = try ZeroCopySocket.connect(
    to: job.endpoint, configuration: Configuration(segmentSize: job.segmentSize))
  var ready = UniqueDeque<SendBuffer>(minimumCapacity: job.slots)
  while var buffer = pool.take() {
    // A byte has no bits that are not initialised.
    buffer.append(addingCount: job.size) {
      unsafe $0.append(repeating: 0x5a, count: job.size, as: UInt8.self)
    }
    buffer.removeAll()
    ready.append(buffer)
  }
  let before = processorTime()
  for _ in 0..<job.count {
    if ready.isEmpty {
      // The pool gives out first what came back last.
      while let buffer = pool.take() { ready.prepend(buffer) }
      if ready.isEmpty { ready.append(try socket.buffer(from: pool, timeout: .seconds(60))) }
    }
    var buffer = ready.removeFirst()
    markFilled(&buffer, job.size)
    try socket.send(buffer, mode: job.mode)
  }
  try socket.flush(timeout: .seconds(60))
  let used = processorTime() - before
  if job.mode == .automatic { for decision in socket.decisions { complain("\(decision)\n") } }
  try socket.close(timeout: .seconds(60))
  return used
}

@inline(__always)
func markFilled(_ buffer: inout SendBuffer, _ size: Int) {
  buffer.append(addingCount: size) { span in
    // They were written before the first send, and nobody else has the memory.
    unsafe span.withUnsafeMutableBytes { _, initializedCount in initializedCount = size }
  }
}

func processorTime() -> Double {
  var usage = rusage()
  // 0 is RUSAGE_SELF, which C libraries declare by different types.
  _ = unsafe getrusage(0, &usage)
  func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
  return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

func fail(_ message: String, _ status: CInt) -> Never {
  complain(message)
  exit(status)
}

func complain(_ message: String) {
  // Standard error's own handle is a global variable that Swift 6 does not let pass.
  _ = unsafe message.withCString { unsafe write(2, $0, strlen($0)) }
}

do {
  let job = try Job(CommandLine.arguments)
  print(try run(job) / (Double(job.size) * Double(job.count) / Double(1 << 30)))
} catch is Usage {
  let arguments = "[udp:]ADDRESS:PORT zerocopy|copy|automatic huge|standard COUNT SIZE SLOTS [SEGMENT]"
  fail("usage: PoolSender \(arguments)\n", 2)
} catch {
  fail("PoolSender: \(error)\n", 1)
}
