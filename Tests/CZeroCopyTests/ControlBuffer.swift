#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  /// A control buffer put together byte by byte, whole or broken, as recvmsg would have filled it.
  struct ControlBuffer {
    static let headerSize = MemoryLayout<UInt>.size + 8
    static let alignment = MemoryLayout<UInt>.size

    private(set) var bytes: [UInt8] = []

    /// Appends a control message, padded. `length` lies about its size where it is given.
    mutating func append(level: Int32, type: Int32, payload: [UInt8], length: UInt? = nil) {
      let honest = UInt(Self.headerSize + payload.count)
      bytes += Self.bytes(length ?? honest) + Self.bytes(level) + Self.bytes(type) + payload
      while bytes.count % Self.alignment != 0 { bytes.append(0) }
    }

    mutating func append(_ error: ExtendedError, as channel: ErrorChannel, length: UInt? = nil) {
      append(level: channel.level, type: channel.type, payload: error.payload, length: length)
    }

    /// What SO_TIMESTAMPING adds: three times.
    mutating func appendTimestamps() {
      append(level: 1, type: 37, payload: [UInt8](repeating: 0xA5, count: 48))
    }

    static func bytes<Value>(_ value: Value) -> [UInt8] {
      withUnsafeBytes(of: value) { Array($0) }
    }
  }

  /// Where a family of sockets puts its extended errors.
  enum ErrorChannel: CaseIterable {
    case ipv4, ipv6, vsock

    var level: Int32 {
      switch self {
      case .ipv4: 0
      case .ipv6: 41
      case .vsock: 287
      }
    }

    var type: Int32 {
      switch self {
      case .ipv4: 11
      case .ipv6: 25
      case .vsock: 1
      }
    }
  }

  /// `struct sock_extended_err` and the offender's address after it.
  struct ExtendedError {
    static let zeroCopyOrigin: UInt8 = 5

    var errno: UInt32 = 0
    var origin = Self.zeroCopyOrigin
    var code: UInt8 = 0
    var first: UInt32 = 7
    var last: UInt32 = 9
    /// Room for a `sockaddr_in`, as the kernel leaves it.
    var addressBytes = 16

    var payload: [UInt8] {
      ControlBuffer.bytes(errno) + [origin, 0, code, 0] + ControlBuffer.bytes(first)
        + ControlBuffer.bytes(last) + [UInt8](repeating: 0, count: addressBytes)
    }
  }

  /// What the parser found, comparable.
  struct FoundNotification: Equatable {
    var first: UInt32
    var last: UInt32
    var copied: Bool
  }

  /// Memory that ends where a page begins that cannot be touched: a parser that reads past the end dies.
  struct GuardedMemory: ~Copyable {
    private let start: UnsafeMutableRawPointer
    private var page: Int { Self.page }
    private static let page = Int(sysconf(Int32(_SC_PAGESIZE)))

    init() throws {
      let size = 2 * Self.page
      let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      let memory = try #require(mapped == MAP_FAILED ? nil : mapped)
      try #require(mprotect(memory + Self.page, Self.page, PROT_NONE) == 0)
      start = memory
    }

    deinit { munmap(start, 2 * page) }

    /// Parses the bytes at the very end of the memory, or `gap` bytes before it for another alignment.
    func parse(_ bytes: [UInt8], gap: Int = 0) -> FoundNotification? {
      precondition(bytes.count + gap <= page)
      let place = start + (page - bytes.count - gap)
      bytes.withUnsafeBytes {
        place.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(place), byteCount: $0.count)
      }
      var notification = czc_notification(first: 0xDEAD, last: 0xBEEF, copied: false)
      guard czc_parse_control(place, bytes.count, &notification) == 1 else { return nil }
      return FoundNotification(
        first: notification.first, last: notification.last, copied: notification.copied)
    }
  }

  /// The same question answered in the plainest way, to compare with: one message after the other, each
  /// cut out of what is left.
  func plainParse(_ bytes: ArraySlice<UInt8>) -> FoundNotification? {
    func number<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
    guard bytes.count >= ControlBuffer.headerSize else { return nil }
    let length = number(0, UInt.self)
    guard length >= UInt(ControlBuffer.headerSize), length <= UInt(bytes.count) else { return nil }
    let start = ControlBuffer.headerSize
    let (level, type) = (number(start - 8, Int32.self), number(start - 4, Int32.self))
    let isError = ErrorChannel.allCases.contains { $0.level == level && $0.type == type }
    if isError, length >= start + 16, number(start, UInt32.self) == 0, number(start + 4, UInt8.self) == 5 {
      return FoundNotification(
        first: number(start + 8, UInt32.self), last: number(start + 12, UInt32.self),
        copied: number(start + 6, UInt8.self) & 1 == 1)
    }
    let alignment = ControlBuffer.alignment
    let next = (Int(length) + alignment - 1) / alignment * alignment
    return next <= bytes.count ? plainParse(bytes.dropFirst(next)) : nil
  }
#endif
