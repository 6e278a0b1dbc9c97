// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that who depends on ZeroCopy builds none of this.
//
// The C programs beside it, PlainSender and Drain, are no targets: SwiftPM links every program against
// the Swift runtime, and loading that would count as theirs. Scripts/bars.sh compiles them.
let package = Package(
  name: "Benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "ZeroCopy", path: "..")],
  targets: [
    // The work of PlainSender, through the library.
    .executableTarget(
      name: "LibrarySender",
      dependencies: [.product(name: "ZeroCopy", package: "ZeroCopy")],
      swiftSettings: [.strictMemorySafety()])
  ],
  swiftLanguageModes: [.v6]
)
