/// A call that a test needs, and which failed: the errno, negative.
struct Failure: Error {
  var code: Int64

  init<Code: BinaryInteger>(code: Code) { self.code = Int64(code) }
}

/// The result of a `czc_` call that has to succeed for the test to go on.
func checked<Result: BinaryInteger>(_ result: Result) throws -> Result {
  guard result >= 0 else { throw Failure(code: result) }
  return result
}
