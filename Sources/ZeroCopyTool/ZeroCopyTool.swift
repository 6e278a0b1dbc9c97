import ArgumentParser

@main
struct ZeroCopyTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "zerocopy",
    abstract: "Send memory over a network without copying it (MSG_ZEROCOPY), and see whether it helps.",
    discussion: """
      ENDPOINT is HOST:PORT, [IPV6]:PORT, unix:/PATH, unix:@NAME or vsock:CID:PORT; for bench, sink and \
      doctor also udp:HOST:PORT.

      Exit codes: 0 done, 1 failed, 64 wrong usage, 77 no such lane on this machine. ZEROCOPY_DISABLE=1 in \
      the environment switches zero copy off.
      """,
    version: "0.1.0",
    subcommands: [Demo.self, Send.self, Receive.self, Doctor.self, LaneCommand.self, Bench.self, Sink.self])
}
