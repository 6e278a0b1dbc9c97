import ArgumentParser
import ZeroCopy

/// `--mode`.
enum Mode: String, ExpressibleByArgument, CaseIterable {
  case automatic
  case zeroCopy = "zero-copy"
  case copy

  var writeMode: WriteMode {
    switch self {
    case .automatic: .automatic
    case .zeroCopy: .zeroCopy
    case .copy: .copy
    }
  }

  /// Bytes a system call. Copying gains nothing from more than fits the processor's cache, zero copy
  /// gains from fewer notifications.
  var chunkSize: Int { self == .copy ? 128 << 10 : 1 << 20 }
}

/// The help of an endpoint argument.
func endpointHelp(_ purpose: String) -> ArgumentHelp {
  "\(purpose): HOST:PORT, [IPV6]:PORT, unix:/PATH, unix:@NAME or vsock:CID:PORT."
}

/// A stream endpoint, or what is wrong with it.
@Sendable func parseEndpoint(_ text: String) throws -> Endpoint {
  let endpoint = try Endpoint(parsing: text)
  guard endpoint.isStream else {
    throw ValidationError("a file needs a stream, and '\(text)' is a datagram endpoint")
  }
  return endpoint
}

/// `--timeout`: whole or broken seconds above 0.
@Sendable func parseTimeout(_ text: String) throws -> Duration {
  guard let seconds = Double(text), seconds > 0, seconds <= 1e9 else {
    throw ValidationError("'\(text)' is no number of seconds above 0, and at most 1000000000")
  }
  return .milliseconds(max(1, Int64(seconds * 1000)))
}

/// `--chunk`: bytes, with K, M or G for powers of 1024.
@Sendable func parseByteCount(_ text: String) throws -> Int {
  let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
  let unit = text.uppercased().last.flatMap { units[$0] }
  let digits = unit == nil ? text[...] : text.dropLast()
  let (bytes, overflow) = (Int(digits) ?? 0).multipliedReportingOverflow(by: unit ?? 1)
  guard !overflow, bytes > 0, bytes <= 1 << 40 else {
    throw ValidationError(
      "'\(text)' is no number of bytes above 0, as 1000, 64K, 4M or 1G, and at most 1024G")
  }
  return bytes
}
