import SystemPackage
import TestSupport
import Testing
import ZeroCopy

/// Each in a process of its own, where all that is open and resident is the test's; on one thread, because
/// malloc keeps an arena for each.
@Suite("Nothing is left behind")
struct LeakTests {
  @Test("Not by 100,000 sends")
  func sends() async {
    await #expect(processExitsWith: .success) {
      var stream = try Connected()
      var datagrams = try Datagrams("127.0.0.1")
      let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
      try expectNothingIsLeft(after: TestScale.scaled(100_000)) { round in
        if round % 4 == 0 {
          #expect(try datagrams.client.writev(memory, mode: .zeroCopy) == 1000)
          #expect(try datagrams.server.read(count: 1000).count == 1000)
        } else {
          try stream.client.writeAll([memory], mode: round % 4 == 1 ? .automatic : .zeroCopy)
          #expect(try stream.server.read(count: 1000).count == 1000)
        }
        if round % 64 == 0 {
          try stream.client.flush(timeout: .seconds(10))
          try datagrams.client.flush(timeout: .seconds(10))
        }
      }
      try stream.client.flush(timeout: .seconds(10))
      #expect(stream.client.statistics.completed > 0)
      #expect(datagrams.client.statistics.completed > 0)
    }
  }

  @Test("Not by 10,000 connections, however each of them ends")
  func connections() async {
    await #expect(processExitsWith: .success) {
      var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
      let memory = UnsafeRawBufferPointer(pinnedBytes(1000))
      try expectNothingIsLeft(after: TestScale.scaled(10_000)) { round in
        try live(Life.allCases[round % Life.allCases.count], &listener, memory)
      }
    }
  }
}

/// What becomes of a connection.
private enum Life: CaseIterable {
  case closed, aborted, dropped, readByAReader, adopted, refused, withAListenerOfItsOwn
}

/// A connection from its beginning to its end. The peer goes with bytes unread, by a reset: a port that waits
/// a minute after each connection would soon be the last one.
private func live(
  _ life: Life, _ listener: inout ZeroCopyListener, _ memory: UnsafeRawBufferPointer
) throws {
  if life == .withAListenerOfItsOwn {
    var own = try ZeroCopyListener(binding: "127.0.0.1:0")
    try live(.closed, &own, memory)
    return own.close()
  }
  var client = try ZeroCopySocket.connect(to: listener.localAddress)
  var server = try listener.accept(timeout: .seconds(10))
  try client.writeAll(memory, mode: .zeroCopy)
  switch life {
  case .closed, .withAListenerOfItsOwn:
    try client.flush(timeout: .seconds(10))
    try client.close(timeout: .seconds(10))
  case .aborted:
    #expect(client.abort().remaining == 0)
  case .dropped:
    break
  case .readByAReader:
    var reader = try client.reader()
    try server.writeAndFlush(memory.bytes, timeout: .seconds(10))
    var bytes = [UInt8](repeating: 0, count: 1000)
    var span = bytes.mutableSpan
    #expect(try reader.read(into: &span) > 0)
  case .adopted:
    try client.flush(timeout: .seconds(10))
    var adopted = try ZeroCopySocket(adopting: client.relinquish())
    try adopted.writeAll(memory, mode: .zeroCopy)
    try adopted.flush(timeout: .seconds(10))
  case .refused:
    // Not a free port: a socket that is given that very port would connect to itself.
    #expect(refusal { _ = try ZeroCopySocket.connect(to: "unix:@nobody-is-here") } == .connectionRefused)
    let descriptor = listener.fileDescriptor
    #expect(refusal { _ = try ZeroCopySocket(adopting: descriptor) } == .unsuitableDescriptor)
    let taken = listener.localAddress
    #expect(refusal { _ = try ZeroCopyListener(binding: taken) } == .listenFailed)
    #expect(refusal { _ = try ZeroCopySocket.connect(to: "nonsense") } == .invalidEndpoint)
  }
}

private func refusal(_ body: () throws -> Void) -> ZeroCopyError.Code? {
  do { try body() } catch { return (error as? ZeroCopyError)?.code }
  return nil
}
