import ArgumentParser
import CZeroCopy
import SystemPackage
import ZeroCopy

struct Sink: Command {
  static let configuration = CommandConfiguration(
    abstract: "Receive and throw away what 'zerocopy bench' and 'zerocopy doctor' send to this endpoint.",
    discussion: """
      Serves several at once until it is interrupted. Who does not greet as they do is refused: it is no service \
      for others, and theirs is none for it. The notes go to standard error.
      """)

  @Argument(
    help: endpointHelp(
      "Where to listen, udp:HOST:PORT for datagrams; port 0 takes a free port and says which"),
    transform: { try Endpoint(parsing: $0) })
  var endpoint: Endpoint

  @Flag(help: "Say only where it listens.")
  var quiet = false

  func execute() throws {
    if endpoint.isStream {
      var sink = try StreamSink(endpoint, isQuiet: quiet)
      try sink.serve()
    } else {
      var sink = try DatagramSink(endpoint, isQuiet: quiet)
      try sink.serve()
    }
  }
}
