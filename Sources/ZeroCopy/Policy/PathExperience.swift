internal import Synchronization

/// What sockets have found out about the cost of copying and of zero copy, so that later ones on the same path need
/// not begin anew.
///
/// A `Configuration` has one from the start: sockets that are made with the same configuration, and those that a
/// listener accepts, share it. A path is a kind of socket and the addresses of both ends, without the ports.
public final class PathExperience: Sendable {
  /// More paths than these are not remembered; which of them are forgotten then is left open.
  private static let capacity = 1024

  private let tables = Mutex<[String: CostTable]>([:])

  /// Nothing is known yet.
  public init() {}

  func table(of path: String) -> CostTable? { tables.withLock { $0[path] } }

  func note(_ state: ClassPolicy, of path: String) {
    tables.withLock { tables in
      if tables.count >= Self.capacity, tables[path] == nil, let some = tables.keys.first {
        tables[some] = nil
      }
      tables[path, default: CostTable()].note(state)
    }
  }
}
