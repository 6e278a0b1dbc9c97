// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that who depends on ZeroCopy builds none of this.
//
// The C programs beside it, Drain and those called Plain, are no targets: SwiftPM links every program against
// the Swift runtime, and loading that would count as theirs. Scripts/bars.sh and cost.sh compile them.
let package = Package(
  name: "Benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "ZeroCopy", path: ".."),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
  ],
  targets: [
    // The work of PlainSender, through the library.
    .executableTarget(
      name: "LibrarySender",
      dependencies: [.product(name: "ZeroCopy", package: "ZeroCopy")],
      swiftSettings: [.strictMemorySafety()]),
    // The work of PlainPool, through the library.
    .executableTarget(
      name: "PoolSender",
      dependencies: [
        .product(name: "ZeroCopy", package: "ZeroCopy"),
        .product(name: "DequeModule", package: "swift-collections"),
      ],
      swiftSettings: [.strictMemorySafety()]),
  ],
  swiftLanguageModes: [.v6]
)
