import Dispatch
import Foundation
import Synchronization
import TestSupport

/// One run of the built `zerocopy` command: started by the initialiser, ended by `wait()`.
final class Tool: Sendable {
  enum Input: Sendable {
    case nothing
    case file(String)
    /// Through a pipe.
    case bytes([UInt8])
  }

  struct Outcome: Sendable {
    /// The exit code; `nil` where a signal ended the command.
    var code: CInt?
    var signal: CInt = 0
    var output: [UInt8] = []
    var errors = ""

    var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// The executable that the same build put beside the tests.
  static let path: String = {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let tests = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return tests.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/zerocopy"
  }()

  /// After so many seconds the command is killed, and the test fails by its outcome.
  private static let patience = 60

  private let process: pid_t
  private let hasEnded = Mutex(false)
  private let feeding: Background<Void>?
  private let output: Stream
  private let errors: Stream

  /// - Parameters:
  ///   - wrapper: A command that starts the command, and its arguments.
  ///   - terminal: What to use as standard error in place of a pipe.
  init(
    _ arguments: [String], through wrapper: [String] = [], environment: [String: String] = [:],
    input: Input = .nothing, errorsTo terminal: CInt? = nil
  ) throws {
    let command = wrapper.isEmpty ? [Self.path] : ["/usr/bin/env"] + wrapper + [Self.path]
    let started = try descriptorsAreInTheMaking.withLock { _ in
      try Self.start(command + arguments, environment, input, terminal)
    }
    process = started.process
    output = Stream(started.output)
    errors = Stream(started.errors)
    if case .bytes(let bytes) = input, let feed = started.feed {
      feeding = Background {
        writeAll(bytes, to: feed)
        close(feed)
      }
    } else {
      feeding = nil
    }
    DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Self.patience)) { [self] in
      kill(SIGKILL)
    }
  }

  private static func start(
    _ command: [String], _ environment: [String: String], _ input: Input, _ terminal: CInt?
  ) throws -> (process: pid_t, feed: CInt?, output: CInt, errors: CInt) {
    var feed: (read: CInt, write: CInt)?
    var source = "/dev/null"
    switch input {
    case .nothing: break
    case .file(let path): source = path
    case .bytes: feed = try makePipe()
    }
    let outputPipe = try makePipe()
    let errorPipe = try makePipe()

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let feed {
      posix_spawn_file_actions_adddup2(&actions, feed.read, 0)
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, source, O_RDONLY, 0)
    }
    posix_spawn_file_actions_adddup2(&actions, outputPipe.write, 1)
    posix_spawn_file_actions_adddup2(&actions, terminal ?? errorPipe.write, 2)

    // Whoever runs the tests may ignore these, and its threads block them: a command would inherit that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGPIPE] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    var process: pid_t = 0
    let result = withStrings(command) { words in
      withStrings(Self.lines(of: environment)) {
        posix_spawn(&process, command[0], &actions, &attributes, words, $0)
      }
    }
    for end in [feed?.read, outputPipe.write, errorPipe.write] { _ = end.map { close($0) } }
    guard result == 0 else { throw SystemFailure(call: "starting \(command[0])", errno: result) }
    return (process, feed?.write, outputPipe.read, errorPipe.read)
  }

  /// Runs the command to its end.
  static func run(
    _ arguments: [String], through wrapper: [String] = [], environment: [String: String] = [:],
    input: Input = .nothing
  ) throws -> Outcome {
    try Tool(arguments, through: wrapper, environment: environment, input: input).wait()
  }

  /// The end of the first line on standard error that begins so; `nil` where the command ends without.
  func line(after beginning: String) -> String? { errors.line(after: beginning) }

  /// Where a `receive` says that it listens.
  var announcedEndpoint: String? { line(after: "listening on ") }

  func kill(_ signal: CInt) {
    hasEnded.withLock { hasEnded in
      if !hasEnded { _ = Glibc.kill(process, signal) }
    }
  }

  func wait() -> Outcome {
    // The process stays a zombie until the lock is held: its number is nobody else's before.
    var info = siginfo_t()
    while waitid(P_PID, id_t(process), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    var status: CInt = 0
    hasEnded.withLock { hasEnded in
      waitpid(process, &status, 0)
      hasEnded = true
    }
    try? feeding?.value()
    let signal = status & 0x7F
    return Outcome(
      code: signal == 0 ? (status >> 8) & 0xFF : nil, signal: signal, output: output.all,
      errors: String(decoding: errors.all, as: UTF8.self))
  }

  private static func lines(of added: [String: String]) -> [String] {
    var lines: [String] = []
    var next = environ
    while let entry = next.pointee {
      let line = String(cString: entry)
      let name = String(line.prefix { $0 != "=" })
      if name != "ZEROCOPY_DISABLE", added[name] == nil { lines.append(line) }
      next += 1
    }
    return lines + added.map { "\($0)=\($1)" }
  }
}

/// What arrives on a descriptor, collected by a thread of its own.
private final class Stream: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var hasEnded = false
  }

  private let state = Mutex(State())
  private let arrived = DispatchSemaphore(value: 0)
  private let reading = DispatchGroup()

  init(_ descriptor: CInt) {
    DispatchQueue(label: "stream").async(group: reading) { [self] in
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        state.withLock {
          if count > 0 { $0.bytes += buffer[..<count] } else { $0.hasEnded = true }
        }
        arrived.signal()
        if count <= 0 { break }
      }
      close(descriptor)
    }
  }

  var all: [UInt8] {
    reading.wait()
    return state.withLock { $0.bytes }
  }

  func line(after beginning: String) -> String? {
    while true {
      let (text, hasEnded) = state.withLock { (String(decoding: $0.bytes, as: UTF8.self), $0.hasEnded) }
      let complete = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if let line = complete.first(where: { $0.hasPrefix(beginning) }) {
        return String(line.dropFirst(beginning.count))
      }
      if hasEnded { return nil }
      arrived.wait()
    }
  }
}

/// What the command writes with `--json`.
func decoded<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
  let decoder = JSONDecoder()
  decoder.keyDecodingStrategy = .convertFromSnakeCase
  return try decoder.decode(type, from: Data(bytes))
}

func checked(_ result: CInt, _ what: String) throws -> CInt {
  guard result >= 0 else { throw SystemFailure(call: what, errno: errno) }
  return result
}

/// Held while a descriptor is made that only a second call keeps from the commands: no command may
/// start in between, or it would keep a connection open that a test has closed.
let descriptorsAreInTheMaking = Mutex(())

private func makePipe() throws -> (read: CInt, write: CInt) {
  var ends: [CInt] = [-1, -1]
  _ = try checked(pipe(&ends), "pipe")
  for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  return (ends[0], ends[1])
}

/// Calls with a C array of C strings that ends with NULL.
private func withStrings<Result>(
  _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
  let copies = strings.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return body(copies + [nil])
}

/// Writes until the end, or until nobody reads.
private func writeAll(_ bytes: [UInt8], to descriptor: CInt) {
  // A command that ends early must not end the tests by SIGPIPE.
  signal(SIGPIPE, SIG_IGN)
  bytes.withUnsafeBytes { bytes in
    var written = 0
    while written < bytes.count {
      let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return }
      written += count
    }
  }
}
