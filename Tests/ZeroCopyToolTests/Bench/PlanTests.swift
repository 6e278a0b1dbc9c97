import Testing
import ZeroCopy

@testable import ZeroCopyTool

@Suite("Plan")
struct PlanTests {
  private func plan(
    isDatagram: Bool = false, sizes: [Int]? = nil, subjects: [Subject]? = nil, isQuick: Bool = false
  )
    throws -> Plan
  {
    try Plan(
      isDatagram: isDatagram, sizes: sizes, rounds: nil, connections: nil, subjects: subjects,
      isQuick: isQuick)
  }

  @Test("Streams go from 4 KiB to 4 MiB, datagrams to what one holds")
  func sizes() throws {
    #expect(try plan().sizes == (12...22).map { 1 << $0 })
    #expect(try plan(isDatagram: true).sizes == [4096, 8192, 16384, 32768, 65000])
    #expect(try plan(isDatagram: true, isQuick: true).sizes == [4096, 16384, 65000])
    #expect(try plan(sizes: [9000, 100, 9000]).sizes == [100, 9000])
  }

  @Test("Copying is always there, because everything is compared with it, and comes first")
  func subjects() throws {
    #expect(try plan(subjects: [.hugePool]).subjects == [.copy, .hugePool])
    #expect(try plan().subjects.first == .copy)
  }

  @Test("A connection warms up for 64 sends, or for 2 MiB where that is more")
  func warmUp() {
    #expect(Plan.warmUp(4096) == 512)
    #expect(Plan.warmUp(1 << 20) == 64)
  }

  @Test("On a slow path a round is cut short, and so is the warming up")
  func slowPath() throws {
    // 4 MiB at 10 GiB/s, 1 Gbit/s and 100 Mbit/s; and 4 KiB at 100 Mbit/s.
    #expect(Plan.sends(in: 0.03, cost: 0.0008, time: 0.0008) == 37)
    #expect(Plan.sends(in: 0.03, cost: 0.0008, time: 0.034) == 17)
    #expect(Plan.sends(in: 0.03, cost: 0.0008, time: 0.34) == 8)
    #expect(Plan.sends(in: 0.03, cost: 0.000_003, time: 0.000_33) == 1818)
    #expect(Plan.sends(in: 0.03, cost: 0, time: 0) == 1_000_000)

    let sink = try FalseSink(connections: 1) { $0 }
    let path = try BenchPath(.endpoint(Endpoint(parsing: sink.endpoint)))
    let memory = try BenchMemory(size: 100_000, span: .hot, for: [.copy])
    let sender = try Sender(.copy, over: path, from: memory)
    _ = try sender.warmUp(64, until: 0)
    #expect(sender.statistics.bytes == Greeting.size + 100_000)
    _ = try sender.warmUp(64, until: .max)
    #expect(sender.statistics.bytes == Greeting.size + 65 * 100_000)
    try sender.end()
    try sink.wait()
  }

  @Test("First sends are measured on fewer connections where they are large")
  func connections() throws {
    #expect(try plan().connections(for: 4096) == 100)
    #expect(try plan().connections(for: 4 << 20) == 4)
  }

  @Test("A target is a lane, or an endpoint")
  func target() throws {
    #expect(try BenchTarget(parsing: "wire") == .wire)
    #expect(try BenchTarget(parsing: "udp:127.0.0.1:9").isDatagram)
    #expect(try BenchTarget(parsing: "sink").isDatagram)
    #expect(throws: (any Error).self) { try BenchTarget(parsing: "puddle") }
  }
}
