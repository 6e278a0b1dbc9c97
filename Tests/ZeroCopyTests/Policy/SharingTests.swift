import TestSupport
import Testing
import ZeroCopy

@Suite("What later sockets learn from earlier ones")
struct SharingTests {
  private let memory = UnsafeRawBufferPointer(pinnedBytes(16_384))

  /// Sends until something is decided, or to the bound that a hang would meet.
  private func decide(_ pair: inout Datagrams) throws -> SendDecision {
    for _ in 0..<10_000 where ![.measured, .equal].contains(pair.client.decisions.first?.reason) {
      try pair.client.writeAll(memory)
      try pair.server.expectDatagram(memory)
    }
    return try #require(pair.client.decisions.first)
  }

  @Test("With one configuration a socket begins with what an earlier one to the same address has decided")
  func sameConfiguration() throws {
    let configuration = Configuration()
    var first = try Datagrams("127.0.0.1", client: configuration)
    let decided = try decide(&first)
    var second = try Datagrams("127.0.0.1", client: configuration)
    try second.client.writeAll(memory)
    let learnt = try #require(second.client.decisions.first)
    #expect(learnt.reason == .learnt)
    #expect(learnt.usesZeroCopy == decided.usesZeroCopy)
    #expect(learnt.costOfCopying != nil && learnt.costOfZeroCopy != nil)
  }

  @Test("To another address, or with another configuration, it begins anew", arguments: [true, false])
  func others(_ isOtherAddress: Bool) throws {
    let configuration = Configuration()
    var first = try Datagrams("127.0.0.1", client: configuration)
    _ = try decide(&first)
    var second = try Datagrams(
      isOtherAddress ? "[::1]" : "127.0.0.1", client: isOtherAddress ? configuration : Configuration())
    try second.client.writeAll(memory)
    #expect(second.client.decisions.map(\.reason) == [.expected])
  }
}
