import Testing

@testable import ZeroCopy

@Suite("Choosing by size")
struct SizePolicyTests {
  @Test("A stream goes without copying from 256 KiB on")
  func stream() {
    let policy = SizePolicy(isDatagram: false, pathMTU: 0)
    #expect(!policy.prefersZeroCopy(byteCount: 0))
    #expect(!policy.prefersZeroCopy(byteCount: (256 << 10) - 1))
    #expect(policy.prefersZeroCopy(byteCount: 256 << 10))
    #expect(policy.prefersZeroCopy(byteCount: 1 << 40))
  }

  @Test("A datagram from 32 KiB on, where it fits the path's MTU: fragments are always copied (rule 21)")
  func datagram() {
    let wide = SizePolicy(isDatagram: true, pathMTU: 65_535)
    #expect(!wide.prefersZeroCopy(byteCount: (32 << 10) - 1))
    #expect(wide.prefersZeroCopy(byteCount: 32 << 10))
    #expect(wide.prefersZeroCopy(byteCount: 65_535 - 48))
    #expect(!wide.prefersZeroCopy(byteCount: 65_535 - 47))
    // An ordinary network's, and one that could not be asked for.
    for mtu in [1500, 9000, -92] {
      let narrow = SizePolicy(isDatagram: true, pathMTU: mtu)
      #expect(!narrow.prefersZeroCopy(byteCount: 1400))
      #expect(!narrow.prefersZeroCopy(byteCount: 32 << 10))
      #expect(!narrow.prefersZeroCopy(byteCount: 65_507))
    }
  }
}
