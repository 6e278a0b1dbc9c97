/// Whether a write may, must or must not go without copying.
public enum WriteMode: Sendable, Hashable {
  /// Without copying, or an error: `ZeroCopyError.Code.zeroCopyUnavailable` where the socket cannot, and
  /// the limit's own code where one is exhausted.
  case zeroCopy

  /// By copying: the memory is free again as soon as the call returns.
  case copy

  /// Whichever is cheaper, which it finds out by measuring; see <doc:AutomaticMode>. Never an error for want of zero
  /// copy: where it cannot be had, or a limit is exhausted, the bytes are copied and `Statistics.fallbacks` says so.
  case automatic
}
