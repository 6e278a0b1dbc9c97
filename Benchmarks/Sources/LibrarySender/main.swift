// The same work as PlainSender's, through the library:
//
//   LibrarySender PORT zerocopy|copy COUNT SIZE [FORM [SPAN]]
//
// FORM is how the memory is given:
//
//   single        writeAll(buffer)
//   once          writev(buffer)
//   vectored      writev([header, body])
//   vectored-all  writeAll([header, body])
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

let headerSize = 64

struct Usage: Error {}

enum Form: String {
  case single, once, vectored
  case vectoredAll = "vectored-all"
}

struct Job {
  let port: Int
  let mode: WriteMode
  let count: Int
  let size: Int
  let form: Form
  let span: Int

  init(_ arguments: [String]) throws(Usage) {
    guard (5...7).contains(arguments.count),
      let port = Int(arguments[1]),
      let mode = ["zerocopy": WriteMode.zeroCopy, "copy": .copy][arguments[2]],
      let count = Int(arguments[3]), count >= 0,
      let size = Int(arguments[4]), size > headerSize,
      let form = Form(rawValue: arguments.count > 5 ? arguments[5] : "single"),
      let span = Int(arguments.count > 6 ? arguments[6] : arguments[4]), span >= size
    else { throw Usage() }
    (self.port, self.mode, self.count, self.size, self.form, self.span) = (
      port, mode, count, size, form, span
    )
  }
}

func run(_ job: Job) throws {
  // Written to before it is sent: memory that never was is the shared zero page.
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: job.span, alignment: 4096)
  unsafe memory.initializeMemory(as: UInt8.self, repeating: 0x5a)
  var socket = try ZeroCopySocket.connect(to: "127.0.0.1:\(job.port)")
  // The memory is never written again, and given back only when the flush below has confirmed it all.
  try unsafe send(job, UnsafeRawBufferPointer(memory), over: &socket)
  try socket.flush(timeout: .seconds(60))
  try socket.close(timeout: .seconds(60))
  unsafe memory.deallocate()
}

func send(
  _ job: Job, _ memory: UnsafeRawBufferPointer, over socket: inout ZeroCopySocket
) throws(ZeroCopyError) {
  var at = 0
  // Not across the forms: each loop has nothing in it but its own call.
  switch job.form {
  case .single:
    for _ in 0..<job.count {
      let buffer = unsafe next(job, memory, &at)
      try unsafe socket.writeAll(buffer, mode: job.mode)
    }
  case .once:
    for _ in 0..<job.count {
      let buffer = unsafe next(job, memory, &at)
      let accepted = try unsafe socket.writev(buffer, mode: job.mode)
      if accepted < job.size { try unsafe sendRest(of: buffer, from: accepted, job, over: &socket) }
    }
  case .vectored:
    for _ in 0..<job.count {
      let buffer = unsafe next(job, memory, &at)
      let header = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<headerSize])
      let body = unsafe UnsafeRawBufferPointer(rebasing: buffer[headerSize...])
      let accepted = try unsafe socket.writev([header, body], mode: job.mode)
      if accepted < job.size { try unsafe sendRest(of: buffer, from: accepted, job, over: &socket) }
    }
  case .vectoredAll:
    for _ in 0..<job.count {
      let buffer = unsafe next(job, memory, &at)
      let header = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<headerSize])
      let body = unsafe UnsafeRawBufferPointer(rebasing: buffer[headerSize...])
      try unsafe socket.writeAll([header, body], mode: job.mode)
    }
  }
}

/// The bytes of one send; goes through the span in turn.
@inline(__always)
func next(_ job: Job, _ memory: UnsafeRawBufferPointer, _ at: inout Int) -> UnsafeRawBufferPointer {
  if at + job.size > job.span { at = 0 }
  defer { at += job.size }
  return unsafe UnsafeRawBufferPointer(rebasing: memory[at..<at + job.size])
}

/// What a partial `writev` has left over.
@inline(never)
func sendRest(
  of buffer: UnsafeRawBufferPointer, from accepted: Int, _ job: Job, over socket: inout ZeroCopySocket
) throws(ZeroCopyError) {
  try unsafe socket.writeAll(UnsafeRawBufferPointer(rebasing: buffer[accepted...]), mode: job.mode)
}

func fail(_ message: String, _ status: CInt) -> Never {
  // Standard error's own handle is a global variable that Swift 6 does not let pass.
  _ = unsafe message.withCString { unsafe write(2, $0, strlen($0)) }
  exit(status)
}

do {
  try run(Job(CommandLine.arguments))
} catch is Usage {
  fail(
    "usage: LibrarySender PORT zerocopy|copy COUNT SIZE [single|once|vectored|vectored-all [SPAN]]\n", 2)
} catch {
  fail("LibrarySender: \(error)\n", 1)
}
