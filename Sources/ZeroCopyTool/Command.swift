import ArgumentParser
import SystemPackage
import ZeroCopy

/// A subcommand. Its errors are one line on standard error, written at once, and exit code 1.
protocol Command: ParsableCommand {
  func execute() throws
}

extension Command {
  func run() throws {
    do {
      try execute()
    } catch let code as ExitCode {
      throw code
    } catch {
      note("Error: \((error as? ZeroCopyError).map(words) ?? "\(error)")")
      throw ExitCode.failure
    }
  }
}

/// What a command says when it fails.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The library's error without its counts, which a command gives in its own words.
func words(_ error: ZeroCopyError) -> String {
  error.message + (error.errno.map { " (\($0))" } ?? "")
}

/// A line of the result, on standard output.
func say(_ text: String) throws {
  do {
    _ = try FileDescriptor.standardOutput.writeAll((text + "\n").utf8)
  } catch {
    throw Failure("cannot write to standard output (\(error))")
  }
}

/// A line for the person who watches, on standard error.
func note(_ text: String, terminator: String = "\n") {
  _ = try? FileDescriptor.standardError.writeAll((text + terminator).utf8)
}
