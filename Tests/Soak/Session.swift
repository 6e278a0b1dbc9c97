import Glibc
import SystemPackage
import TestSupport
import ZeroCopy

/// One connection from its beginning to its end.
struct Session {
  let plan: Plan

  func run() throws -> Tally { try plan.isDatagram ? DatagramSession(plan).run() : runStream() }

  private func runStream() throws -> Tally {
    let configuration = Configuration(
      writeTimeout: plan.writeTimeout, readTimeout: .seconds(90),
      maximumBytesInFlight: plan.slotCount % 5 == 0 ? plan.slotSize * 2 : nil)
    let ends = try Self.connect(plan, configuration).split()
    let plan = plan
    let receiving = Background {
      var socket = ends.server.take()
      var receiver = Receiver(plan)
      return try receiver.run(&socket)
    }
    var outcome: Sender.Outcome?
    var trouble: (any Error)?
    do {
      var sender = Sender(plan, try plan.prepared(ends.client.take()))
      outcome = try sender.run()
    } catch {
      trouble = error
    }
    // What the receiver saw says more than what the sender then met.
    let received = try receiving.value()
    if let trouble { throw trouble }
    var tally = outcome!.tally
    tally.bytesChecked = received.count
    if outcome!.isWhole, received.hasEnded, received.count != tally.bytesSent {
      throw Trouble("\(tally.bytesSent) bytes were sent and \(received.count) received")
    }
    if outcome!.isWhole, !received.hasEnded, !plan.mayBeCut {
      throw Trouble("an orderly stream was cut after \(received.count) bytes")
    }
    if received.count > tally.bytesSent {
      throw Trouble("only \(tally.bytesSent) bytes were sent and \(received.count) received")
    }
    return tally
  }

  private static func connect(_ plan: Plan, _ configuration: Configuration) throws -> Connected {
    switch plan.network {
    case .loopback: try Connected(plan.family, client: configuration, server: configuration)
    case .wire: try Connected.onWire(plan.family, client: configuration, server: configuration)
    }
  }
}
