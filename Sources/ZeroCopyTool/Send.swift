import ArgumentParser
import CZeroCopy
import SystemPackage
import ZeroCopy

struct Send: Command {
  static let configuration = CommandConfiguration(
    abstract: "Send a file, or standard input, as a raw stream of bytes.",
    discussion: """
      'zerocopy receive' stands at the other end, or nc, or socat. A file is mapped and sent from the page \
      cache: change it meanwhile, and the receiver gets old or new bytes; make it shorter, and the command \
      fails. Standard input is read into buffers that are refilled only once the kernel has let go of them.

      Done means that the peer's kernel has acknowledged every byte. Whether the peer could use them (its disk \
      may be full), its own exit code tells.
      """)

  @Argument(help: "The file to send; - is standard input.")
  var file: String

  @Argument(help: endpointHelp("Where to connect to"), transform: parseEndpoint)
  var endpoint: Endpoint

  @Option(help: "How to send: automatic takes what is cheaper, zero-copy fails where it cannot.")
  var mode: Mode = .automatic

  @Option(
    help: "Bytes a send, for instance 64K or 4M. (default: 1M; 128K with --mode copy)",
    transform: parseByteCount)
  var chunk: Int?

  @Option(help: "Seconds to wait for a peer that does not move. (default: 60)", transform: parseTimeout)
  var timeout: Duration = .seconds(60)

  @Flag(help: "Report as JSON.")
  var json = false

  func execute() throws {
    let (input, size) = file == "-" ? (.standardInput, nil) : try openInput(file)
    if let size {
      try send(MappedFile(input, name: file, size: size))
    } else {
      try send(input)
    }
  }

  private var chunkSize: Int { chunk ?? mode.chunkSize }

  private func send(_ file: consuming MappedFile) throws {
    var socket = try connect()
    let watch = Stopwatch()
    var progress = Progress(total: file.size, isQuiet: json)
    var sent = 0
    do throws(ZeroCopyError) {
      while sent < file.size {
        let end = min(sent + chunkSize, file.size)
        // The mapping stays until this function ends, when nothing is in flight.
        let piece = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[sent..<end])
        try unsafe socket.writeAll(piece)
        sent = end
        progress.update(sent)
      }
      try finish(&socket)
    } catch {
      progress.end()
      if error.code == .unreadableMemory { try file.checkSize() }
      throw failure(error, sent, of: file.size)
    }
    progress.end()
    try file.checkSize()
    try report(&socket, sent, watch)
  }

  private func send(_ input: FileDescriptor) throws {
    // Memory is bounded, however long the input is: a buffer is filled again once the kernel has let go of it.
    // Each buffer begins at a page of its own.
    let pages = (chunkSize + czc_page_size() - 1) / czc_page_size()
    let pool = try BufferPool(bufferSize: chunkSize, count: max(2, (16 << 20) / (pages * czc_page_size())))
    var socket = try connect()
    let watch = Stopwatch()
    var progress = Progress(total: nil, isQuiet: json)
    var sent = 0
    do throws(ZeroCopyError) {
      while true {
        var buffer = try socket.buffer(from: pool, timeout: timeout)
        while buffer.freeCapacity > 0, try buffer.append(readingFrom: input) > 0 {}
        let count = buffer.count
        if count == 0 { break }
        try socket.send(buffer)
        sent += count
        progress.update(sent)
      }
      try finish(&socket)
    } catch {
      progress.end()
      throw failure(error, sent, of: nil)
    }
    progress.end()
    try report(&socket, sent, watch)
  }

  private func connect() throws -> ZeroCopySocket {
    let configuration = Configuration(mode: mode.writeMode, connectTimeout: timeout, writeTimeout: timeout)
    let socket = try ZeroCopySocket.connect(to: endpoint, configuration: configuration)
    // Said before the first byte, not after half of them.
    if mode == .zeroCopy, !socket.availability.isAvailable {
      throw Failure("zero copy is \(socket.availability); use --mode automatic")
    }
    return socket
  }

  /// Says that nothing follows, and waits until the memory is free: for as long as the peer moves.
  private func finish(_ socket: inout ZeroCopySocket) throws(ZeroCopyError) {
    try socket.finishWriting()
    while true {
      do throws(ZeroCopyError) {
        try socket.flush(timeout: timeout)
        return
      } catch {
        let moved = error.flushed?.completed ?? 0
        if error.code != .timedOut || moved == 0 { throw error }
      }
    }
  }

  /// Copied bytes have no notification: asks the kernel now and then what the peer has not acknowledged.
  private func waitForAcknowledgement(_ descriptor: CInt) throws {
    var left = czc_unacknowledged(descriptor)
    var lastMove = czc_now()
    while left > 0, czc_now() - lastMove < UInt64(timeout / .nanoseconds(1)) {
      try checkLoss(descriptor)
      czc_pause(2_000_000)
      let now = czc_unacknowledged(descriptor)
      if now != left { lastMove = czc_now() }
      left = now
    }
    // Nothing may be left because the peer has gone, and all was thrown away.
    try checkLoss(descriptor)
    if left > 0 { throw Failure("\(stalled); it has not acknowledged the last \(left) bytes") }
  }

  private func checkLoss(_ descriptor: CInt) throws {
    let error = czc_take_error(descriptor)
    guard error != 0 else { return }
    throw Failure("the connection was lost before the peer had everything (\(Errno(rawValue: error)))")
  }

  private var stalled: String {
    "time was up: the peer has not moved for \(timeout / .seconds(1)) s; look at it, or raise --timeout"
  }

  private func failure(_ error: ZeroCopyError, _ sent: Int, of size: Int?) -> Failure {
    let handed = "\(sent + error.bytesAccepted)" + (size.map { " of \($0)" } ?? "")
    let why = error.code == .timedOut ? stalled : words(error)
    return Failure("\(why); \(handed) bytes were handed to the kernel")
  }

  private func report(_ socket: inout ZeroCopySocket, _ sent: Int, _ watch: Stopwatch) throws {
    try waitForAcknowledgement(socket.fileDescriptor.rawValue)
    var report = Report(action: "sent", peer: "\(endpoint)", mode: mode.rawValue)
    report.zeroCopy = "\(socket.availability)"
    report.bytes = sent
    report.seconds = watch.seconds
    report.cpuSeconds = watch.cpuSeconds
    report.add(socket.statistics)
    try say(json ? try encoded(report) : report.text)
    try socket.close(timeout: timeout)
  }
}
