import CZeroCopy
import Testing
import ZeroCopy

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension SendBuffer {
  /// Where it lies: to be asked about, and never looked at, once it is sent.
  public var place: UnsafeRawBufferPointer { bytes.withUnsafeBytes { $0 } }
}

/// Asks the kernel, which answers EFAULT where a load would end the process.
public func isReadable(_ memory: UnsafeRawBufferPointer) -> Bool {
  let file = czc_memory_file()
  defer { close(file) }
  let count = write(file, memory.baseAddress, memory.count)
  if count < 0 { #expect(errno == EFAULT) }
  return count == memory.count
}

/// What the kernel says, in bytes, of the mapping that an address lies in: a line of /proc/self/smaps.
public func mappingSize(_ name: String, at address: UInt) throws -> Int {
  let file = try #require(fopen("/proc/self/smaps", "r"))
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 4096)
  var isHere = false
  while fgets(&line, 4096, file) != nil {
    let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      .split(whereSeparator: { $0 == " " || $0 == "\n" })
    let range = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
    if range.count == 2 { isHere = (range[0]..<range[1]).contains(address) }
    if isHere, words[0] == "\(name):" { return try #require(Int(words[1])) * 1024 }
  }
  return 0
}

/// How many mappings a process may have (vm.max_map_count); `nil` where it cannot be told.
public let mostMappings: Int? = {
  guard let file = fopen("/proc/sys/vm/max_map_count", "r") else { return nil }
  defer { fclose(file) }
  var text = [CChar](repeating: 0, count: 32)
  fgets(&text, 32, file)
  return Int(atoi(text))
}()

/// Makes mappings until the process may have no more, runs a body, and removes them. Only for a process of its own, and
/// for a body that hardly allocates.
public func withoutMappingsLeft(_ body: () -> Void) throws {
  let most = try #require(mostMappings)
  var made: [UnsafeMutableRawPointer] = []
  made.reserveCapacity(2 * most)
  // Neighbours that differ stay two.
  while made.count < 2 * most,
    let page = mmap(
      nil, 4096, made.count % 2 == 0 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
    page != MAP_FAILED
  {
    made.append(page)
  }
  body()
  for page in made { munmap(page, 4096) }
  #expect(made.count < 2 * most)
}
