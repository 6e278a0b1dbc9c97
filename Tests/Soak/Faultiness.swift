import TestSupport
import ZeroCopy

/// What is made to go wrong in a session's system calls, besides what goes wrong by itself.
enum Faultiness: String, CaseIterable {
  case rareSends, manySends, notifications, lostNotifications

  func begin(on socket: borrowing ZeroCopySocket, _ plan: Plan) throws {
    // An adopted socket learns where its counter stands: shortly before it wraps.
    let firstID = plan.isAdopted ? 0 &- UInt32(plan.seed % 50) : nil
    let faults = try Faults(on: socket.fileDescriptor, seed: plan.seed, firstID: firstID)
    switch self {
    case .rareSends: faults.random(chances(0.01, plan))
    case .manySends: faults.random(chances(0.15, plan))
    case .notifications:
      faults.notifications {
        $0.held = 5
        $0.perRead = 3
        $0.merged = 0.3
        $0.split = 0.3
        $0.repeated = 0.2
        $0.foreign = 0.2
      }
    case .lostNotifications:
      faults.notifications {
        $0.truncated = 0.05
        $0.unknown = 0.02
        $0.merged = 0.3
      }
    }
  }

  private func chances(_ chance: Double, _ plan: Plan) -> SendChances {
    // A datagram would arrive cut.
    SendChances(
      short: plan.isDatagram ? 0 : chance, interrupted: chance, wouldBlock: chance, noBufferSpace: chance)
  }
}
