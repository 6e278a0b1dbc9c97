import ArgumentParser
import CZeroCopy
import SystemPackage
import ZeroCopy

struct Receive: Command {
  static let configuration = CommandConfiguration(
    abstract: "Take one connection and write what it sends to a file or to standard output.",
    discussion: "The sender is 'zerocopy send', or nc, or socat. The report goes to standard error.")

  @Argument(
    help: endpointHelp("Where to listen; port 0 takes a free port and says which"), transform: parseEndpoint)
  var endpoint: Endpoint

  @Option(help: "The file to write, replaced if it exists; - is standard output.")
  var output = "-"

  @Option(
    help: "Seconds to wait for a connection, and for each further byte. (default: no bound)",
    transform: parseTimeout)
  var timeout: Duration?

  @Flag(help: "Report as JSON.")
  var json = false

  func execute() throws {
    var listener = try ZeroCopyListener(binding: endpoint, configuration: Configuration(readTimeout: timeout))
    // After the endpoint is known to be ours, and before anybody sends: a file that cannot be written
    // must not cost the sender its bytes.
    let file = try openOutput()
    note("listening on \(listener.localAddress)")
    var socket = try listener.accept(timeout: timeout)
    listener.close()
    // Only now that somebody sends: the old content is not to be lost to a time-out.
    if czc_file_size(file.rawValue) > 0, file != .standardOutput {
      do { try file.resize(to: 0) } catch { throw Failure("cannot replace '\(output)' (\(error))") }
    }
    let peer = socket.peerAddress
    let watch = Stopwatch()
    let received = try receive(from: &socket, into: file)
    if file != .standardOutput {
      do { try file.close() } catch { throw Failure("cannot write '\(output)' (\(error))") }
    }
    try socket.close(timeout: .zero)
    var report = Report(action: "received", peer: peer)
    report.bytes = received
    report.seconds = watch.seconds
    report.cpuSeconds = watch.cpuSeconds
    note(json ? try encoded(report) : report.text)
  }

  private func openOutput() throws -> FileDescriptor {
    if output == "-" { return .standardOutput }
    do {
      return try FileDescriptor.open(
        FilePath(output), .writeOnly, options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw Failure("cannot write '\(output)' (\(error)); check the folder and its permissions")
    }
  }

  private func receive(from socket: inout ZeroCopySocket, into file: FileDescriptor) throws -> Int {
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var progress = Progress(total: nil, isQuiet: json)
    var received = 0
    defer { progress.end() }
    while true {
      let count: Int
      do {
        var span = buffer.mutableSpan
        count = try socket.read(into: &span)
      } catch {
        throw Failure("\(words(error)); \(received) bytes were written to '\(output)' before")
      }
      if count == 0 { return received }
      do {
        try file.writeAll(buffer[..<count])
      } catch {
        // Ends the connection by a reset, so that the sender does not take this for success.
        socket.abort()
        throw Failure(
          "cannot write '\(output)' (\(error)) after \(received) bytes; make room and receive again")
      }
      received += count
      progress.update(received)
    }
  }
}
