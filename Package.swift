// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // For returning spans.
  .enableExperimentalFeature("Lifetimes"),
]

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "ZeroCopy",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "ZeroCopy", targets: ["ZeroCopy"]),
    .executable(name: "zerocopy", targets: ["ZeroCopyTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
  ],
  targets: [
    // One C function is about one system call; all differences between platforms live here.
    .target(name: "CZeroCopy"),
    .target(
      name: "ZeroCopy",
      dependencies: [
        "CZeroCopy", system, .product(name: "DequeModule", package: "swift-collections"),
      ],
      swiftSettings: strict),
    // Networks on this machine in which zero copy really happens.
    .target(name: "CLanes"),
    .executableTarget(
      name: "ZeroCopyTool",
      dependencies: [
        "CLanes", "CZeroCopy", "ZeroCopy", system,
        .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .target(name: "CTestSupport", path: "Tests/CTestSupport"),
    .target(
      name: "TestSupport", dependencies: ["ZeroCopy", "CZeroCopy", "CLanes", "CTestSupport", system],
      path: "Tests/TestSupport"),
    .executableTarget(
      name: "soak",
      dependencies: [
        "ZeroCopy", "TestSupport", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Soak"),
    .testTarget(name: "CZeroCopyTests", dependencies: ["CZeroCopy", "TestSupport"]),
    .testTarget(
      name: "ZeroCopyTests",
      dependencies: [
        "ZeroCopy", "CZeroCopy", "TestSupport", system,
        .product(name: "DequeModule", package: "swift-collections"),
      ]),
    .testTarget(name: "ZeroCopyToolTests", dependencies: ["ZeroCopyTool", "ZeroCopy", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6]
)
