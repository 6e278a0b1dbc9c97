import CZeroCopy
import Glibc
import TestSupport
import Testing
import ZeroCopy

@Suite("Reading")
struct ReadingTests {
  @Test("The end of the stream is 0, again and again, and so is an empty span", arguments: Family.allCases)
  func end(_ family: Family) throws {
    var pair = try Connected(family)
    var none: [UInt8] = []
    var empty = none.mutableSpan
    #expect(try pair.client.read(into: &empty) == 0)
    try pair.server.finishWriting()
    var bytes = [UInt8](repeating: 0, count: 10)
    for _ in 0..<3 {
      var span = bytes.mutableSpan
      #expect(try pair.client.read(into: &span) == 0)
    }
  }

  @Test("A read ends at its time-out on a blocking descriptor, and at once on a non-blocking one")
  func bounds() throws {
    var pair = try Connected(client: Configuration(readTimeout: .milliseconds(20)))
    var byte: [UInt8] = [0]
    func read() -> ZeroCopyError? {
      error { () throws(ZeroCopyError) in
        var span = byte.mutableSpan
        _ = try pair.client.read(into: &span)
      }
    }
    #expect(read()?.code == .timedOut)
    pair.client.setBlocking(false)
    #expect(read()?.code == .wouldBlock)
    try [UInt8(1)].withUnsafeBytes { try pair.server.writeAll($0) }
    pair.client.setBlocking(true)
    #expect(read() == nil)
    #expect(byte == [1])
  }

  @Test("A reader reads on while the socket writes, and outlives its end of writing")
  func reader() throws {
    var pair = try Connected()
    let memory = pinnedBytes(4 << 20)
    // An echo, so that both directions are full at once.
    let echo = pair.serve { socket in
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        var span = buffer.mutableSpan
        let count = try socket.read(into: &span)
        if count == 0 { break }
        try buffer[..<count].withUnsafeBytes { try socket.writeAll($0, mode: .copy) }
      }
      try socket.finishWriting()
    }
    let reader = Handoff(try pair.client.reader())
    let reading = Background {
      var reader = reader.take()
      var all: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
        if count == 0 { return all }
        all += buffer[..<count]
      }
    }
    try pair.client.writeAll(UnsafeRawBufferPointer(memory), mode: .zeroCopy)
    try pair.client.finishWriting()
    try pair.client.flush(timeout: .seconds(20))
    #expect(try reading.value() == Array(memory))
    try echo.value()
  }

  @Test("A closed reader reads nothing, and the socket goes on")
  func closedReader() throws {
    var pair = try Connected()
    var reader = try pair.client.reader()
    reader.close()
    reader.close()
    #expect(error { () throws(ZeroCopyError) in try reader.readOneByte() }?.code == .closed)
    try pair.client.writeAll(UnsafeRawBufferPointer(pinnedBytes(10)), mode: .copy)
    #expect(try pair.server.read(count: 10).count == 10)
  }

  @Test("A listener's accept ends when its shutdown handle is used")
  func stopsAccept() throws {
    var listener = try ZeroCopyListener(binding: "127.0.0.1:0")
    let handle = listener.shutdownHandle
    let stopper = Background {
      usleep(100_000)
      handle.shutDown()
    }
    #expect(error { () throws(ZeroCopyError) in _ = try listener.accept() }?.code == .shutDown)
    try stopper.value()
  }

  @Test("The peer's end of the stream is that for a reader, whatever has become of its socket meanwhile")
  func orderlyEndStays() throws {
    for ending in ["close", "shut down", "relinquish"] {
      var pair = try Connected()
      var reader = try pair.client.reader()
      try [1, 2, 3].withUnsafeBytes { try pair.server.writeAll($0) }
      try pair.server.finishWriting()
      // The end is in when the bytes before it are, or a moment later.
      while czc_tcp_peer_has_ended(pair.client.fileDescriptor.rawValue) == 0 {}
      switch ending {
      case "close": try pair.client.close(timeout: .seconds(1))
      case "shut down": pair.client.shutdownHandle.shutDown()
      default: try pair.client.relinquish().close()
      }
      for _ in 0..<24 { #expect(try reader.readOneByte() == 1) }
      #expect(try reader.readOneByte() == 0, "\(ending)")
    }
  }
}
