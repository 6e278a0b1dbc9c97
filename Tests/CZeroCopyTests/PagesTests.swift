#if os(Linux)
  import CZeroCopy
  import Glibc
  import Testing

  @Suite("Pages")
  struct PagesTests {
    private let length = 6 << 20

    @Test(
      "Fresh memory is aligned to its kind of pages, and can be written to at both ends",
      arguments: [CZC_PAGES_STANDARD, CZC_PAGES_HUGE])
    func aligned(_ kind: Int) throws {
      var error: CInt = 0
      let memory = try #require(czc_map_pages(length, CInt(kind), &error))
      defer { czc_unmap(memory, length) }
      let unit = kind == CZC_PAGES_HUGE ? czc_huge_page_size() : czc_page_size()
      #expect(UInt(bitPattern: memory) % UInt(unit) == 0)
      memory.storeBytes(of: 1, as: UInt8.self)
      (memory + length - 1).storeBytes(of: 2, as: UInt8.self)
    }

    @Test("More than the address space is an error, and no mapping")
    func tooMuch() {
      var error: CInt = 0
      #expect(czc_map_pages(1 << 60, CInt(CZC_PAGES_STANDARD), &error) == nil)
      #expect(error == ENOMEM)
    }

    @Test(
      "Replaced pages are fresh ones, in place, and their neighbours stay",
      arguments: [CZC_PAGES_STANDARD, CZC_PAGES_HUGE])
    func replaced(_ kind: Int) throws {
      var error: CInt = 0
      let memory = try #require(czc_map_pages(length, CInt(kind), &error))
      defer { czc_unmap(memory, length) }
      memory.initializeMemory(as: UInt8.self, repeating: 7, count: length)
      let page = Int(czc_page_size())
      // In the middle of a huge page.
      let from = (1 << 20) + page
      #expect(czc_replace_pages(memory + from, 4 * page, CInt(kind)) == 0)
      let bytes = UnsafeRawBufferPointer(start: memory, count: length)
      #expect(bytes[..<from].allSatisfy { $0 == 7 })
      #expect(bytes[from..<(from + 4 * page)].allSatisfy { $0 == 0 })
      #expect(bytes[(from + 4 * page)...].allSatisfy { $0 == 7 })
    }

    @Test("Memory that was made inaccessible is accessible again, with what it held")
    func protected() throws {
      var error: CInt = 0
      let memory = try #require(czc_map_pages(length, CInt(CZC_PAGES_STANDARD), &error))
      defer { czc_unmap(memory, length) }
      memory.storeBytes(of: 5, as: UInt8.self)
      #expect(czc_protect(memory, length, false) == 0)
      #expect(czc_protect(memory, length, true) == 0)
      #expect(memory.load(as: UInt8.self) == 5)
    }
  }
#endif
