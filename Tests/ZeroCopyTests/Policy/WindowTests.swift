import TestSupport
import Testing
import ZeroCopy

@Suite("What automatic mode has measured")
struct WindowTests {
  /// Sends of another kind among those that are measured.
  enum Others: CaseIterable {
    /// By a call that names its way.
    case explicit
    /// Too long for a packet, and so copied whatever the policy says (rule 21).
    case fragmented
  }

  @Test("The bytes of sends that it has not chosen do not count in it", arguments: Others.allCases)
  func notChosen(_ others: Others) throws {
    // A receiver that has no room drops them: what they cost here is the same.
    let alone = try costOfCopying { _ in }
    let long = UnsafeRawBufferPointer(pinnedBytes(65_500))
    let among = try costOfCopying { client in
      switch others {
      case .explicit: _ = try client.writeDatagrams([long], mode: .copy)
      case .fragmented: try client.writeAll(long, mode: .automatic)
      }
    }
    // Their time is in it, several times that of the short ones; their bytes would make it less.
    #expect(among > alone, "\(among) \(alone)")
  }

  /// Of sends of 8 KiB with something behind each of them.
  private func costOfCopying(_ something: (inout ZeroCopySocket) throws -> Void) throws -> Double {
    var pair = try Datagrams("[::1]")
    let memory = UnsafeRawBufferPointer(pinnedBytes(8192))
    for _ in 0..<400 {
      try pair.client.writeAll(memory, mode: .automatic)
      try something(&pair.client)
    }
    let decision = pair.client.decisions.first { $0.sizes.contains(8192) }
    return try #require(decision?.costOfCopying)
  }
}
