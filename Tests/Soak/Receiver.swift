import Glibc
import TestSupport
import ZeroCopy

/// The other end of a stream: reads in the way of its plan, and checks every byte.
struct Receiver {
  struct Outcome: Sendable {
    var count = 0
    /// Whether the stream came to its orderly end.
    var hasEnded = false
  }

  private let plan: Plan
  private var random: SeededGenerator
  private var outcome = Outcome()

  init(_ plan: Plan) {
    self.plan = plan
    random = SeededGenerator(seed: plan.seed &+ 1)
  }

  mutating func run(_ socket: inout ZeroCopySocket) throws -> Outcome {
    // Small, but not below a few packets: TCP would wait longer and longer before it tries again.
    if plan.reading == .trickling || plan.disturbance != nil {
      socket.setOption(SOL_SOCKET, SO_RCVBUF, 256 << 10)
    }
    // After so many bytes it ends the connection, if it does.
    let cut = Int.random(in: 0...plan.volume, using: &random)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { buffer.deallocate() }
    do {
      if plan.reading == .halfClosing { try socket.finishWriting() }
      while true {
        if [.resetting, .closing].contains(plan.reading), outcome.count >= cut {
          if plan.reading == .resetting { socket.resetOnClose() }
          return outcome
        }
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<nextCount()])
        let count = try socket.read(into: piece)
        if count == 0 {
          outcome.hasEnded = true
          return outcome
        }
        try check(UnsafeRawBufferPointer(rebasing: piece[..<count]))
        outcome.count += count
      }
    } catch let error as ZeroCopyError where error.code == .connectionLost && plan.mayBeCut {
      return outcome
    }
  }

  /// How much to read next, after a pause where the plan says so.
  private mutating func nextCount() -> Int {
    if plan.reading == .trickling {
      // In time to end within seconds, whatever the volume.
      usleep(.random(in: 1...1000, using: &random))
      return max(4096, plan.volume / 1000)
    }
    if let reads = plan.readsPerStall, Int.random(in: 0..<reads, using: &random) == 0 {
      usleep(.random(in: 1...200_000, using: &random))
    }
    return Int.random(in: 1...1 << 20, using: &random)
  }

  private func check(_ bytes: UnsafeRawBufferPointer) throws {
    guard let fault = plan.pattern.firstFault(in: bytes, at: outcome.count) else { return }
    let wrong = bytes[fault...].prefix(16).map { "\($0)" }.joined(separator: " ")
    throw Trouble(
      "CORRUPTION at byte \(outcome.count + fault): \(wrong)"
        + (bytes[fault] == Slots.scribble ? ", scribbled over: it was released too early" : ""))
  }
}
