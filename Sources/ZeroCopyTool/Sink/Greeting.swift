/// What `zerocopy bench` and `zerocopy sink` say to each other before and after the data, so that nothing is ever
/// poured into a stranger's service: a message of fixed size, each answered by one of the same size.
struct Greeting: Equatable {
  enum Kind: UInt8 {
    /// The sender's: are you a sink?
    case hello = 1
    /// The sink's answer, with the sender's nonce.
    case welcome = 2
    /// The sender's, where the end of a stream does not say it: how much came?
    case howMuch = 3
    /// The sink's answer.
    case soMuch = 4
  }

  /// Bytes of a message. No bench sends datagrams of this size.
  static let size = 40
  static let version: UInt8 = 1
  /// Not the beginning of any text.
  private static let magic: [UInt8] = [0x93, 0x5A, 0x43, 0x53, 0x49, 0x4E, 0x4B, 0x0A]

  var kind: Kind
  var nonce: UInt64
  var version = Greeting.version
  /// What the sink has received.
  var bytes: UInt64 = 0
  var datagrams: UInt64 = 0

  init(_ kind: Kind, nonce: UInt64, bytes: Int = 0, datagrams: Int = 0) {
    (self.kind, self.nonce) = (kind, nonce)
    (self.bytes, self.datagrams) = (UInt64(bytes), UInt64(datagrams))
  }

  /// `nil` for what is none.
  init?(_ message: [UInt8]) {
    guard message.count == Self.size, message.starts(with: Self.magic), let kind = Kind(rawValue: message[9])
    else { return nil }
    self.kind = kind
    version = message[8]
    nonce = Self.number(message[16..<24])
    bytes = Self.number(message[24..<32])
    datagrams = Self.number(message[32..<40])
  }

  var message: [UInt8] {
    Self.magic + [version, kind.rawValue] + [UInt8](repeating: 0, count: 6)
      + [nonce, bytes, datagrams].flatMap { number in
        (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
      }
  }

  /// Whether what has come so far can still become a message.
  static func mayBegin(_ bytes: [UInt8]) -> Bool {
    bytes.count <= size && zip(bytes, magic).allSatisfy { $0 == $1 }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
