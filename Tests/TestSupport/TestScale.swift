#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// How much the tests with random histories do: the environment variable ZEROCOPY_TEST_SCALE multiplies
/// it, below 1 for a slow machine, above for a long search.
public enum TestScale {
  public static let factor: Double = {
    guard let text = getenv("ZEROCOPY_TEST_SCALE") else { return 1 }
    guard let factor = Double(String(cString: text)), factor > 0 else { return 1 }
    return factor
  }()

  /// `count` times the factor, and at least one.
  public static func scaled(_ count: Int) -> Int {
    max(1, Int(Double(count) * factor))
  }
}
