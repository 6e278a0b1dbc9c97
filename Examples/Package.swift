// swift-tools-version: 6.2
import PackageDescription

// A package that links ZeroCopy as any other would: by a dependency, and nothing else.
let settings: [SwiftSetting] = [.strictMemorySafety()]
let zeroCopy = Target.Dependency.product(name: "ZeroCopy", package: "ZeroCopy")

let package = Package(
  name: "Examples",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "ZeroCopy", path: ".."),
    // For Telemetry alone.
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
  ],
  targets: [
    // A peer for the others to send to.
    .target(name: "Loopback", dependencies: [zeroCopy], swiftSettings: settings),
    .executableTarget(name: "FirstSteps", dependencies: ["Loopback", zeroCopy], swiftSettings: settings),
    .executableTarget(name: "Pipeline", dependencies: ["Loopback", zeroCopy], swiftSettings: settings),
    .executableTarget(name: "InAClass", dependencies: ["Loopback", zeroCopy], swiftSettings: settings),
    .executableTarget(name: "InATask", dependencies: ["Loopback", zeroCopy], swiftSettings: settings),
    .executableTarget(
      name: "Telemetry",
      dependencies: [
        "Loopback", zeroCopy,
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "CoreMetrics", package: "swift-metrics"),
      ], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
