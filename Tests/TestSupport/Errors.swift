import ZeroCopy

/// The error that a body throws; `nil` where it throws none.
public func error(of body: () throws(ZeroCopyError) -> Void) -> ZeroCopyError? {
  do throws(ZeroCopyError) {
    try body()
    return nil
  } catch {
    return error
  }
}
