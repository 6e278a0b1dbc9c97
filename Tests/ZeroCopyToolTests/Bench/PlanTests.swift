import Testing

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
