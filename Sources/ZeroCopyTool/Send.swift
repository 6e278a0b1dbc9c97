import ArgumentParser
import CZeroCopy
import SystemPackage
import ZeroCopy

struct Send: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Send a file, or standard input, as a raw stream of bytes.",
    discussion: """
      'zerocopy receive' stands at the other end, or nc, or socat. A file is mapped and sent from the page \
      cache: change it meanwhile, and the receiver gets old or new bytes; make it shorter, and the command \
      fails. Standard input is read into buffers that are refilled only once the kernel has let go of them.
      """)

  @Argument(help: "The file to send; - is standard input.")
  var file: String

  @Argument(help: "Where to connect to.", transform: parseEndpoint)
  var endpoint: Endpoint

  @Option(help: "automatic, zero-copy or copy.")
  var mode: Mode = .automatic

  @Option(
    help: "Bytes a send, K, M and G understood. (default: 1M; 128K with --mode copy)",
    transform: parseByteCount)
  var chunk: Int?

  @Option(help: "Seconds to wait for a peer that does not move. (default: 60)", transform: parseTimeout)
  var timeout: Duration = .seconds(60)

  @Flag(help: "Report as JSON.")
  var json = false

  func run() throws {
    let (input, size) = file == "-" ? (.standardInput, nil) : try openInput(file)
    if let size { return try send(MappedFile(input, name: file, size: size)) }
    try send(input)
  }

  private var chunkSize: Int { chunk ?? mode.chunkSize }

  private func connect() throws -> ZeroCopySocket {
    let configuration = Configuration(mode: mode.writeMode, connectTimeout: timeout, writeTimeout: timeout)
    let socket = try ZeroCopySocket.connect(to: endpoint, configuration: configuration)
    // Said before the first byte, not after half of them.
    if mode == .zeroCopy, !socket.availability.isAvailable {
      throw Failure("zero copy is \(socket.availability); use --mode automatic")
    }
    return socket
  }

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
      throw Failure("\(error); \(sent + error.bytesAccepted) of \(file.size) bytes were handed to the kernel")
    }
    progress.end()
    try file.checkSize()
    try waitForAcknowledgement(socket.fileDescriptor.rawValue)
    try report(&socket, sent, watch)
  }

  private func send(_ input: FileDescriptor) throws {
    var buffers = try BufferRotation(bufferSize: chunkSize, count: max(2, (16 << 20) / chunkSize))
    var socket = try connect()
    let watch = Stopwatch()
    var progress = Progress(total: nil, isQuiet: json)
    var sent = 0
    do {
      while true {
        let count = try buffers.sendNext(
          from: input, through: &socket, mode: mode.writeMode, timeout: timeout)
        if count == 0 { break }
        sent += count
        progress.update(sent)
      }
      try finish(&socket)
    } catch let error as ZeroCopyError {
      progress.end()
      throw Failure("\(error); \(sent + error.bytesAccepted) bytes were handed to the kernel before")
    }
    progress.end()
    try waitForAcknowledgement(socket.fileDescriptor.rawValue)
    try report(&socket, sent, watch)
  }

  /// Says that nothing follows, and waits until the peer has acknowledged: for as long as it moves.
  private func finish(_ socket: inout ZeroCopySocket) throws(ZeroCopyError) {
    try socket.finishWriting()
    while true {
      do {
        try socket.flush(timeout: timeout)
        return
      } catch  where error.code == .timedOut && (error.flushed?.completed ?? 0) > 0 {
        continue
      }
    }
  }

  /// Copied bytes have no notification: asks the kernel now and then what is on its way.
  private func waitForAcknowledgement(_ descriptor: CInt) throws {
    let patience = UInt64(timeout / .nanoseconds(1))
    var left = czc_unacknowledged(descriptor)
    var lastMove = czc_now()
    while left > 0 {
      let error = czc_take_error(descriptor)
      guard error == 0 else {
        throw Failure("the connection was lost before the peer had everything (\(Errno(rawValue: error)))")
      }
      guard czc_now() - lastMove < patience else {
        throw Failure("time was up: the peer has not acknowledged the last \(left) bytes")
      }
      czc_pause(2_000_000)
      let now = czc_unacknowledged(descriptor)
      if now != left { lastMove = czc_now() }
      left = now
    }
  }

  private func report(_ socket: inout ZeroCopySocket, _ sent: Int, _ watch: Stopwatch) throws {
    var report = Report(action: "sent", peer: "\(endpoint)", mode: mode.rawValue)
    report.zeroCopy = "\(socket.availability)"
    report.bytes = sent
    report.seconds = watch.seconds
    report.cpuSeconds = watch.cpuSeconds
    report.add(socket.statistics)
    print(json ? try encoded(report) : report.text)
    try socket.close(timeout: timeout)
  }
}
