import ZeroCopy

/// What sends of one size from one span of memory came to.
struct Cell: Encodable {
  /// What one subject cost.
  struct Outcome: Encodable {
    let subject: String
    /// Processor seconds a GiB: the median of the rounds, and the quartiles. `nil` where it could not be measured.
    var cpuSecondsPerGib: Double?
    var lowerQuartile: Double?
    var upperQuartile: Double?
    /// The median beside that of copying: from the same pool where that is on huge pages, else from the caller's memory.
    var ofCopy: Double?
    /// In automatic mode: beside the better of copying and zero copy from the same memory.
    var ofBest: Double?
    /// Of its sends, those without copying.
    var zeroCopyShare: Double?
    /// Of these, those that the kernel reports as copied after all: an estimate.
    var copiedShare: Double?
    /// Why it was not measured.
    var note: String?

    init(
      _ subject: Subject, costs: [Double], zeroCopyShare: Double? = nil, copiedShare: Double? = nil,
      note: String? = nil
    ) {
      self.subject = subject.rawValue
      let sorted = costs.sorted()
      cpuSecondsPerGib = quantile(sorted, 0.5).map(rounded)
      lowerQuartile = quantile(sorted, 0.25).map(rounded)
      upperQuartile = quantile(sorted, 0.75).map(rounded)
      self.zeroCopyShare = zeroCopyShare.map(rounded)
      self.copiedShare = copiedShare.map(rounded)
      self.note = note
    }
  }

  /// What automatic mode cost on new connections.
  struct FirstSends: Encodable {
    var connections: Int
    /// On each.
    var sends: Int
    /// All of it beside copying on other new connections.
    var ofCopy: Double
  }

  let span: Span
  /// Bytes of a send.
  let size: Int
  var sendsARound = 0
  /// Whether the huge pool lies on huge pages.
  var hasHugePages = true
  var outcomes: [Outcome]
  var firstSends: FirstSends?

  init(
    span: Span, size: Int, sendsARound: Int = 0, hasHugePages: Bool = true, outcomes: [Outcome],
    firstSends: FirstSends? = nil
  ) {
    (self.span, self.size, self.sendsARound, self.hasHugePages) = (span, size, sendsARound, hasHugePages)
    (self.outcomes, self.firstSends) = (outcomes, firstSends)
    for index in outcomes.indices {
      guard let subject = Subject(rawValue: outcomes[index].subject) else { continue }
      self.outcomes[index].ofCopy = ratio(subject, to: subject.reference).map(rounded)
      if subject.mode == .automatic {
        self.outcomes[index].ofBest = automaticOfBest(subject.memory).map(rounded)
      }
    }
  }

  func outcome(_ subject: Subject) -> Outcome? { outcomes.first { $0.subject == subject.rawValue } }
  func cost(_ subject: Subject) -> Double? { outcome(subject)?.cpuSecondsPerGib }

  /// One subject's cost beside another's.
  func ratio(_ subject: Subject, to other: Subject) -> Double? {
    guard let own = cost(subject), let reference = cost(other), reference > 0 else { return nil }
    return own / reference
  }

  /// What automatic mode cost beside the better of copying and zero copy from the same memory: beside copying where
  /// no zero-copy send passed, and `nil` where none was to be measured.
  func automaticOfBest(_ memory: Subject.Memory) -> Double? {
    let (automatic, copy, zeroCopy): (Subject, Subject, Subject) =
      memory == .hugePool ? (.hugePoolAutomatic, .hugePoolCopy, .hugePool) : (.automatic, .copy, .zeroCopy)
    guard let own = cost(automatic), let copied = cost(copy), outcome(zeroCopy) != nil else { return nil }
    let best = min(copied, cost(zeroCopy) ?? copied)
    return best > 0 ? own / best : nil
  }

  var name: String { "\(formatted(size: size)) \(span.rawValue)" }
}

extension Subject {
  /// Copying from the same kind of pages. A pool on ordinary ones has more memory than the caller's, where sends are
  /// large and the span is not.
  var reference: Subject {
    switch self {
    case .hugePool, .hugePoolAutomatic, .hugePoolCopy: .hugePoolCopy
    case .plainCopy, .plainZeroCopy: .plainCopy
    default: .copy
    }
  }
}

/// Of sorted values.
func quantile(_ values: [Double], _ share: Double) -> Double? {
  guard let last = values.last else { return nil }
  let place = share * Double(values.count - 1)
  let below = Int(place)
  guard below + 1 < values.count else { return last }
  return values[below] + (values[below + 1] - values[below]) * (place - Double(below))
}

func median(_ values: [Double]) -> Double? { quantile(values.sorted(), 0.5) }

/// "4 KiB", "65000 B".
func formatted(size: Int) -> String {
  if size >= 1 << 20, size % (1 << 20) == 0 { return "\(size >> 20) MiB" }
  return size % 1024 == 0 ? "\(size >> 10) KiB" : "\(size) B"
}

/// With two places behind the point.
func formatted(ratio: Double) -> String {
  let hundredths = Int((ratio * 100).rounded())
  let fraction = "\(hundredths % 100)"
  return "\(hundredths / 100)." + (fraction.count == 1 ? "0" : "") + fraction
}
