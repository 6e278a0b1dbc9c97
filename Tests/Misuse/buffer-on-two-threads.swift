import ZeroCopy

/// Any way to have something done on another thread.
private func onAnotherThread(_ work: @escaping @Sendable () -> Void) { work() }

private func example(_ pool: BufferPool) {
  guard var buffer = pool.take() else { return }
  #if MISUSE
    // error: mutation of captured var 'buffer' in concurrently-executing code
    onAnotherThread { buffer.removeAll() }
  #else
    onAnotherThread {
      guard var another = pool.take() else { return }
      another.removeAll()
    }
  #endif
  buffer.removeAll()
}
