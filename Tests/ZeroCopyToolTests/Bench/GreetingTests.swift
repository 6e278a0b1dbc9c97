import Testing

@testable import ZeroCopyTool

@Suite("Greeting")
struct GreetingTests {
  @Test("What is said is what is heard", arguments: [Greeting.Kind.hello, .welcome, .howMuch, .soMuch])
  func roundTrip(_ kind: Greeting.Kind) {
    let greeting = Greeting(kind, nonce: 0x0123_4567_89AB_CDEF, bytes: 1 << 40, datagrams: 77)
    #expect(greeting.message.count == Greeting.size)
    #expect(Greeting(greeting.message) == greeting)
  }

  @Test("Another version is heard as such")
  func version() {
    var greeting = Greeting(.hello, nonce: 1)
    greeting.version = 9
    #expect(Greeting(greeting.message)?.version == 9)
  }

  @Test("Anything else is no greeting: too short, too long, another beginning, an unknown kind")
  func garbage() {
    let message = Greeting(.hello, nonce: 1).message
    #expect(Greeting([]) == nil)
    #expect(Greeting(message.dropLast()) == nil)
    #expect(Greeting(message + [0]) == nil)
    #expect(Greeting([UInt8](repeating: 0x5A, count: Greeting.size)) == nil)
    for kind: UInt8 in [0, 5, 255] {
      var other = message
      other[9] = kind
      #expect(Greeting(other) == nil)
    }
  }

  @Test("A stranger is known by the first bytes that differ")
  func beginning() {
    let message = Greeting(.hello, nonce: 1).message
    for count in 0...Greeting.size { #expect(Greeting.mayBegin(Array(message[..<count]))) }
    #expect(!Greeting.mayBegin(message + [0]))
    #expect(!Greeting.mayBegin(Array("SSH-2.0-".utf8)))
    #expect(!Greeting.mayBegin([message[0], 0]))
  }
}

extension Greeting {
  init?(_ message: ArraySlice<UInt8>) { self.init(Array(message)) }
}
