#if os(Linux)
  import TestSupport
  import Testing

  @Suite("Hostile control buffers neither crash the parser nor make it invent a notification")
  struct ControlBufferFuzzTests {
    @Test("Random bytes hold no notification", arguments: 1...4 as ClosedRange<UInt64>)
    func randomBytes(seed: UInt64) throws {
      var random = SeededGenerator(seed: seed)
      let memory = try GuardedMemory()
      for round in 0..<TestScale.scaled(12_500) {
        let bytes = randomBytes(upTo: 160, using: &random)
        if let found = memory.parse(bytes) {
          Issue.record("seed \(seed), round \(round): \(found) in \(bytes)")
          return
        }
      }
    }

    @Test("Well-formed foreign messages hold none either", arguments: 1...4 as ClosedRange<UInt64>)
    func foreignMessages(seed: UInt64) throws {
      var random = SeededGenerator(seed: seed)
      let memory = try GuardedMemory()
      for round in 0..<TestScale.scaled(12_500) {
        var buffer = ControlBuffer()
        for _ in 0..<Int.random(in: 1...4, using: &random) { appendForeign(to: &buffer, using: &random) }
        let cut = Int.random(in: 0...8, using: &random)
        if let found = memory.parse(buffer.bytes.dropLast(cut)) {
          Issue.record("seed \(seed), round \(round): \(found) in \(buffer.bytes)")
          return
        }
      }
    }

    @Test("A damaged buffer is read as a plain parser reads it", arguments: 1...4 as ClosedRange<UInt64>)
    func mutations(seed: UInt64) throws {
      var random = SeededGenerator(seed: seed)
      let memory = try GuardedMemory()
      var found = 0
      let rounds = TestScale.scaled(25_000)
      for round in 0..<rounds {
        let bytes = damagedBuffer(using: &random)
        let answer = memory.parse(bytes, gap: Int.random(in: 0...15, using: &random))
        if answer != plainParse(bytes[...]) {
          Issue.record("seed \(seed), round \(round): \(String(describing: answer)) in \(bytes)")
          return
        }
        if answer != nil { found += 1 }
      }
      #expect(found > 0 && (found < rounds || rounds < 100), "some are damaged beyond reading, some are not")
    }

    private func appendForeign(to buffer: inout ControlBuffer, using random: inout SeededGenerator) {
      // What would be a notification, were it of another origin, level or type.
      var error = ExtendedError(
        first: UInt32.random(in: 0...UInt32.max, using: &random),
        last: UInt32.random(in: 0...UInt32.max, using: &random))
      if Bool.random(using: &random) {
        error.origin = [0, 1, 2, 3, 4, 6, 255].randomElement(using: &random)!
        buffer.append(error, as: ErrorChannel.allCases.randomElement(using: &random)!)
      } else {
        let channel = ErrorChannel.allCases.randomElement(using: &random)!
        buffer.append(level: channel.level ^ 2, type: channel.type, payload: error.payload)
      }
    }

    private func damagedBuffer(using random: inout SeededGenerator) -> [UInt8] {
      var buffer = ControlBuffer()
      for _ in 0..<Int.random(in: 0...2, using: &random) { appendForeign(to: &buffer, using: &random) }
      let error = ExtendedError(
        code: UInt8.random(in: 0...1, using: &random),
        first: UInt32.random(in: 0...UInt32.max, using: &random),
        addressBytes: [0, 3, 16, 28].randomElement(using: &random)!)
      buffer.append(error, as: ErrorChannel.allCases.randomElement(using: &random)!)
      if Bool.random(using: &random) { buffer.appendTimestamps() }
      var bytes = buffer.bytes
      for _ in 0..<Int.random(in: 0...3, using: &random) { damage(&bytes, using: &random) }
      return bytes
    }

    private func damage(_ bytes: inout [UInt8], using random: inout SeededGenerator) {
      guard !bytes.isEmpty else { return }
      let at = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[at] = [0, 1, 15, 16, 31, 32, 127, 255].randomElement(using: &random)!
      case 2: bytes.removeSubrange(at...)
      case 3: bytes.removeSubrange(at..<min(at + 8, bytes.count))
      default: bytes.insert(contentsOf: randomBytes(upTo: 16, using: &random), at: at)
      }
    }

    private func randomBytes(upTo limit: Int, using random: inout SeededGenerator) -> [UInt8] {
      (0..<Int.random(in: 0...limit, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
  }
#endif
