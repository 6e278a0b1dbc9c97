import ArgumentParser

@main
struct ZeroCopyTool: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "zerocopy")
}
