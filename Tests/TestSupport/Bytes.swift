import CTestSupport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Bytes that no two places share.
public func randomBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: count) { buffer, size in
    cts_fill_random(buffer.baseAddress, count, seed)
    size = count
  }
}

/// memcmp: a failed `==` of two arrays would print millions of numbers, and one that holds takes its time.
public func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count && memcmp(left, right, left.count) == 0
}
