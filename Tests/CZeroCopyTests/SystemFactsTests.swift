#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Limits, versions and errors are those of the system")
  struct SystemFactsTests {
    private func text(capacity: Int, _ read: (UnsafeMutablePointer<CChar>, Int) -> Int32) throws -> String {
      var text = [CChar](repeating: 0x7F, count: capacity)
      let length = Int(try checked(read(&text, capacity)))
      #expect(text[length] == 0, "ends with a zero")
      return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func contents(_ path: String) throws -> String {
      let file = try Descriptor(open(path, O_RDONLY | O_CLOEXEC))
      var bytes = [UInt8](repeating: 0, count: 8192)
      let count = try checked(read(file.number, &bytes, bytes.count))
      return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private func lines(_ path: String) throws -> [Substring] { try contents(path).split(separator: "\n") }

    @Test("The kernel's release is told")
    func kernelRelease() throws {
      let release = try text(capacity: 256, czc_kernel_release)
      #expect(try release == lines("/proc/sys/kernel/osrelease")[0])
      #expect(try text(capacity: 4, czc_kernel_release) == release.prefix(3))
    }

    @Test("The limit of locked memory is the process's own")
    func lockedMemory() throws {
      let line = try #require(lines("/proc/self/limits").first { $0.hasPrefix("Max locked memory") })
      let soft = try #require(line.dropFirst("Max locked memory".count).split(separator: " ").first)
      #expect(czc_locked_memory_limit() == (soft == "unlimited" ? Int64.max : Int64(soft)))
    }

    @Test("The limit is lifted only with the capability of the initial namespace")
    func lockedMemoryUnlimited() throws {
      let status = try capabilities()
      let isInitial = try namespace() == "user:[4026531837]"
      let expected = isInitial && status & (1 << 14) != 0  // CAP_IPC_LOCK
      #expect(czc_locked_memory_unlimited() == (expected ? 1 : 0))
    }

    @Test("The limit of option memory is the network namespace's", .enabled(if: optionMemoryIsTold))
    func optionMemory() throws {
      let expected = try #require(Int64(lines("/proc/sys/net/core/optmem_max")[0]))
      #expect(czc_option_memory_limit() == expected)
      #expect(expected > 0)
    }

    @Test("A thread is told from the one before it, whose memory it may have")
    func thread() throws {
      func ofNewThread() throws -> UInt {
        var thread = pthread_t()
        let body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { _ in
          UnsafeMutableRawPointer(bitPattern: czc_thread())
        }
        _ = try checked(-pthread_create(&thread, nil, body, nil))
        var result: UnsafeMutableRawPointer?
        _ = try checked(-pthread_join(thread, &result))
        return UInt(bitPattern: result)
      }
      #expect(try ofNewThread() != ofNewThread())
      #expect(czc_thread() == czc_thread())
    }

    private static var optionMemoryIsTold: Bool { access("/proc/sys/net/core/optmem_max", R_OK) == 0 }

    @Test("Zero copy is offered by TCP and UDP, and refused by UNIX sockets")
    func probe() {
      #expect(czc_probe_zerocopy(Int32(CZC_FAMILY_IPV4), Int32(CZC_STREAM)) == 0)
      #expect(czc_probe_zerocopy(Int32(CZC_FAMILY_IPV4), Int32(CZC_DATAGRAM)) == 0)
      #expect(czc_probe_zerocopy(Int32(CZC_FAMILY_UNIX), Int32(CZC_STREAM)) == -EOPNOTSUPP)
      #expect(czc_probe_zerocopy(Int32(CZC_FAMILY_OTHER), Int32(CZC_STREAM)) == -EAFNOSUPPORT)
    }

    @Test("ZEROCOPY_DISABLE switches off, unless it is empty or 0", arguments: ["1", "yes", "00", "", "0"])
    func switchedOff(value: String) async {
      let expected: Int32 = value.isEmpty || value == "0" ? 0 : 1
      // In a process of its own: no other test may see the environment change.
      await #expect(processExitsWith: .success) { [value = value as String, expected = expected as Int32] in
        setenv("ZEROCOPY_DISABLE", value, 1)
        exit(czc_switched_off() == expected ? EXIT_SUCCESS : EXIT_FAILURE)
      }
    }

    @Test("Clocks go forwards")
    func clocks() {
      let before = (czc_now(), czc_thread_cpu(), czc_process_cpu())
      var sum = 0
      for number in 0..<10_000 { sum &+= number * number }
      #expect(sum > 0)
      #expect(czc_now() > before.0)
      #expect(czc_thread_cpu() > before.1)
      #expect(czc_process_cpu() > before.2)
    }

    private func capabilities() throws -> UInt64 {
      let line = try #require(lines("/proc/thread-self/status").first { $0.hasPrefix("CapEff:") })
      return try #require(UInt64(line.dropFirst(7).filter { $0.isHexDigit }, radix: 16))
    }

    private func namespace() throws -> String {
      var bytes = [CChar](repeating: 0, count: 64)
      let count = try checked(readlink("/proc/self/ns/user", &bytes, bytes.count))
      return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
#endif
