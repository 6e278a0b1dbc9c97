import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A storm of signals at the thread that makes it, until it ends: each one interrupts a system call that
/// waits, and the handler, which does nothing, asks for no restart.
public final class SignalStorm: Sendable {
  private final class Flag: Sendable {
    let isSet = Atomic(false)
  }

  private let isOver = Flag()
  private let sender: Background<Int>

  public init() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGUSR1, &action, nil)
    let target = pthread_self()
    let isOver = self.isOver
    sender = Background {
      var count = 0
      while !isOver.isSet.load(ordering: .acquiring) {
        pthread_kill(target, SIGUSR1)
        count += 1
        usleep(500)
      }
      return count
    }
  }

  /// Ends the storm.
  /// - Returns: How many signals there were.
  public func end() throws -> Int {
    isOver.isSet.store(true, ordering: .releasing)
    return try sender.value()
  }
}

/// Whether a body raises a signal at the thread that runs it, whatever the process does about the signal.
public func raises(_ signal: CInt, _ body: () throws -> Void) rethrows -> Bool {
  var wanted = sigset_t()
  sigemptyset(&wanted)
  sigaddset(&wanted, signal)
  var before = sigset_t()
  pthread_sigmask(SIG_BLOCK, &wanted, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  try body()
  // Taken, so that it does not arrive when it is let through again.
  var none = timespec()
  return sigtimedwait(&wanted, nil, &none) == signal
}
