import ArgumentParser
import CLanes
import SystemPackage

struct LaneCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "lane",
    abstract: "Run a command in a network on this machine in which zero copy really happens.",
    discussion: """
      sink  a device that swallows every packet: UDP to 10.77.0.2 or fd77::2, nobody receives. \
      Needs no root where user namespaces are allowed.
      wire  a cable to 10.77.0.2 and fd77::2 in a second network, whose card copies what it receives. \
      Needs root. The receiver: nsenter --net=$ZEROCOPY_LANE_PEER_NETWORK COMMAND.

      Nothing has to be cleaned up: the lane ends with the command. Exit code 77: this machine has no \
      such lane.
      """)

  enum Kind: String, ExpressibleByArgument, CaseIterable {
    case sink, wire
  }

  @Argument(help: "Which lane: sink or wire.")
  var kind: Kind

  @Option(help: "On the wire, hold packets back: by a slow queueing discipline, or by a busy card.")
  var late: Lane.LateCompletion?

  @Flag(help: "As an ordinary user gets it: in a user namespace, with the limit of locked memory.")
  var userNamespace = false

  @Argument(parsing: .postTerminator, help: "The command and its arguments, behind --.")
  var command: [String]

  func validate() throws {
    if command.isEmpty { throw ValidationError("there is no command to run in the lane: put it behind --") }
    if late != nil, kind != .wire { throw ValidationError("only the wire can be late") }
  }

  func execute() throws {
    let lane: Lane = kind == .sink ? .sink : .wire(late: late)
    do {
      try lane.enter(asNewUser: userNamespace)
    } catch let reason as Lane.Unavailable {
      note("there is no lane '\(kind.rawValue)' here: \(reason)")
      throw ExitCode(77)
    }
    throw Failure("cannot run '\(command[0])' (\(becomeCommand()))")
  }

  /// - Returns: Why there is no such command.
  private func becomeCommand() -> Errno {
    // Freed by nobody: this process ends, or becomes another.
    var arguments = unsafe command.map { unsafe cln_copy($0) }
    unsafe arguments.append(nil)
    return Errno(rawValue: unsafe -cln_become(arguments))
  }
}

extension Lane.LateCompletion: ExpressibleByArgument {}
