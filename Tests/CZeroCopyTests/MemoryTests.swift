#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Memory that cannot be had is an error")
  struct MemoryTests {
    @Test("More than there is, and a mapping of nothing")
    func failedMappings() {
      var error: Int32 = 0
      #expect(czc_map_memory(Int(bitPattern: UInt.max >> 1), &error) == nil)
      #expect(error == ENOMEM)
      #expect(czc_map_file(-1, 4096, &error) == nil)
      #expect(error == EBADF)
    }
  }
#endif
