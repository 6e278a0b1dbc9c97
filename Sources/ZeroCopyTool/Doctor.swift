import ArgumentParser
import CZeroCopy
import SystemPackage
import ZeroCopy

struct Doctor: Command {
  static let configuration = CommandConfiguration(
    abstract: "Say whether this machine can send without copying, and what stands in the way.",
    discussion: """
      With an ENDPOINT, where 'zerocopy sink ENDPOINT' runs, it also sends about 120 MiB there, or 92 MiB of \
      datagrams, and says whether zero copy really happens on that path.

      Exits with 1 where TCP cannot send without copying here, or where it does not happen on the path.
      """)

  @Argument(
    help: endpointHelp("Where 'zerocopy sink' runs, udp:HOST:PORT for datagrams"),
    transform: { try Endpoint(parsing: $0) })
  var endpoint: Endpoint?

  @Flag(help: "Report as JSON.")
  var json = false

  func execute() throws {
    var diagnosis = Diagnosis()
    diagnosis.path = try endpoint.map { try PathDiagnosis($0) }
    try say(json ? try encoded(diagnosis) : diagnosis.text)
    if !(diagnosis.path?.isZeroCopy ?? diagnosis.tcp.isAvailable) { throw ExitCode.failure }
  }
}

/// What `doctor` finds out.
struct Diagnosis: Encodable {
  struct Support: Encodable {
    var isAvailable: Bool
    var note: String
  }

  struct Shortage: Encodable {
    var what: String
    var remedy: String
  }

  var kernel: String
  var tcp: Support
  var udp: Support
  var unix: Support
  var vsock: Support
  /// Bytes; `nil` for no limit.
  var lockedMemoryLimit: Int64?
  var isLockedMemoryLifted: Bool
  /// Bytes a socket.
  var optionMemoryLimit: Int64?
  var transparentHugePages: String?
  var reservedHugePages: Int?
  var shortages: [Shortage] = []
  /// The way to an endpoint, where one was given.
  var path: PathDiagnosis?
  var verdict = ""

  init() {
    let release = kernelRelease()
    let limits = SystemLimits.current
    kernel = release
    tcp = Self.support(CZC_FAMILY_IPV4, CZC_STREAM)
    udp = Self.support(CZC_FAMILY_IPV4, CZC_DATAGRAM)
    unix = Self.support(CZC_FAMILY_UNIX, CZC_STREAM)
    vsock = Self.vsockSupport(KernelVersion(release: release))
    lockedMemoryLimit = limits.lockedMemory
    isLockedMemoryLifted = limits.isLockedMemoryLifted
    optionMemoryLimit = limits.optionMemory
    transparentHugePages = Self.chosenWord(in: "/sys/kernel/mm/transparent_hugepage/enabled")
    reservedHugePages = contents(of: "/proc/sys/vm/nr_hugepages").flatMap { Int($0) }
    shortages = findShortages()
    verdict = findVerdict()
  }

  private func findShortages() -> [Shortage] {
    var found: [Shortage] = []
    if czc_switched_off() == 1 {
      found.append(
        Shortage(what: "zero copy is switched off by ZEROCOPY_DISABLE", remedy: "unset ZEROCOPY_DISABLE"))
    }
    if let limit = lockedMemoryLimit, !isLockedMemoryLifted, limit < 64 << 20 {
      found.append(
        Shortage(
          what: "locked memory: \(formatted(bytes: Int(limit))) for all sockets of this user together",
          remedy: "ulimit -l unlimited (as root, or in /etc/security/limits.conf), LimitMEMLOCK=infinity in"
            + " a service's unit, or setcap cap_ipc_lock+ep PROGRAM"))
    }
    if let limit = optionMemoryLimit, limit < 128 << 10 {
      found.append(
        Shortage(
          what: "notification memory: \(formatted(bytes: Int(limit))) a socket",
          remedy: "sysctl -w net.core.optmem_max=1048576"))
    }
    if transparentHugePages == "never" {
      found.append(
        Shortage(
          what: "transparent huge pages are off, which make zero copy cheaper",
          remedy: "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"))
    }
    return found
  }

  private func findVerdict() -> String {
    guard tcp.isAvailable else { return "TCP cannot send without copying here: \(tcp.note)." }
    let rest = shortages.isEmpty ? "nothing stands in the way" : "but mind the shortages above"
    return "TCP\(udp.isAvailable ? " and UDP" : "") can send without copying; \(rest)."
      + " Whether it pays depends on the path: over loopback the kernel copies all the same."
  }

  private static func support(_ family: some BinaryInteger, _ type: some BinaryInteger) -> Support {
    if czc_switched_off() == 1 {
      return Support(isAvailable: false, note: "\(Availability.Reason.switchedOff)")
    }
    let result = czc_probe_zerocopy(CInt(family), CInt(type))
    if result == 0 { return Support(isAvailable: true, note: "available") }
    if Int(family) == Int(CZC_FAMILY_UNIX) {
      return Support(isAvailable: false, note: "\(Availability.Reason.unixSocket)")
    }
    return Support(isAvailable: false, note: "\(Availability.Reason.refused(Errno(rawValue: -result)))")
  }

  private static func vsockSupport(_ version: KernelVersion?) -> Support {
    let result = czc_probe_zerocopy(CInt(CZC_FAMILY_VSOCK), CInt(CZC_STREAM))
    if result == -Errno.addressFamilyNotSupported.rawValue {
      return Support(isAvailable: false, note: "this kernel has no vsock (module vsock)")
    }
    if czc_switched_off() == 1 {
      return Support(isAvailable: false, note: "\(Availability.Reason.switchedOff)")
    }
    guard result == 0 else { return Support(isAvailable: false, note: "\(Availability.Reason.vsock)") }
    let defect = version?.vsockDefect.map { "; \($0)" } ?? ""
    // The option says nothing of a way to the peer.
    return Support(
      isAvailable: true,
      note: "available, over virtio, and to this machine itself with the module vsock_loopback\(defect)")
  }

  /// The word in brackets of "always [madvise] never".
  private static func chosenWord(in path: String) -> String? {
    guard let text = contents(of: path), let open = text.firstIndex(of: "[") else { return nil }
    return String(text[text.index(after: open)...].prefix { $0 != "]" })
  }

  var text: String {
    func size(_ bytes: Int64?) -> String { bytes.map { formatted(bytes: Int($0)) } ?? "no limit" }
    var lines = [
      "kernel               \(kernel)",
      "TCP                  \(tcp.note)",
      "UDP                  \(udp.note)",
      "UNIX                 \(unix.note)",
      "vsock                \(vsock.note)",
      "locked memory        \(size(lockedMemoryLimit)) a user"
        + (isLockedMemoryLifted ? ", lifted for this process by CAP_IPC_LOCK" : ""),
      "notification memory  \(optionMemoryLimit.map { formatted(bytes: Int($0)) } ?? "unknown") a socket",
      "huge pages           transparent: \(transparentHugePages ?? "unknown"), reserved: \(reservedHugePages ?? 0)",
    ]
    for shortage in shortages {
      lines += ["", "shortage: \(shortage.what)", "   remedy: \(shortage.remedy)"]
    }
    lines += ["", path?.text ?? verdict]
    return lines.joined(separator: "\n")
  }
}
