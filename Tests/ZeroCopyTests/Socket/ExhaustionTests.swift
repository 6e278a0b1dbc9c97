import TestSupport
import Testing
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

@Suite("A process without a descriptor left")
struct ExhaustionTests {
  @Test("Connecting, accepting, listening and reading say so, and go on when there is one again")
  func noDescriptor() async {
    // In a process of its own: the limit is the whole process's.
    await #expect(processExitsWith: .success) {
      var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
      let address = listener.localAddress
      let waiting = try ZeroCopySocket.connect(to: address)
      // The standard ones, which are taken: with 0 fcntl(F_DUPFD) would find its argument wrong.
      let usual = try limitDescriptors(to: 3)
      let connecting = failure { _ = try ZeroCopySocket.connect(to: address) }
      #expect(connecting?.errno == .tooManyOpenFiles)
      #expect(connecting?.description.contains("ulimit -n") == true)
      #expect(failure { _ = try ZeroCopyListener(binding: "127.0.0.1:0") }?.errno == .tooManyOpenFiles)
      let accepting = failure { _ = try listener.accept(timeout: .seconds(10)) }
      #expect(accepting?.code == .system)
      #expect(accepting?.errno == .tooManyOpenFiles)
      #expect(failure { _ = try waiting.reader() }?.errno == .tooManyOpenFiles)
      _ = try limitDescriptors(to: usual)
      #expect(try listener.accept(timeout: .seconds(10)).peerAddress == waiting.localAddress)
    }
  }
}

/// - Returns: What the limit was before.
private func limitDescriptors(to count: rlim_t) throws -> rlim_t {
  var limit = rlimit()
  #if canImport(Glibc)
    let resource = CInt(RLIMIT_NOFILE.rawValue)
  #else
    let resource = CInt(RLIMIT_NOFILE)
  #endif
  try #require(getrlimit(resource, &limit) == 0)
  let before = limit.rlim_cur
  limit.rlim_cur = count
  try #require(setrlimit(resource, &limit) == 0)
  return before
}

private func failure(_ body: () throws -> Void) -> ZeroCopyError? {
  do { try body() } catch { return error as? ZeroCopyError }
  return nil
}
