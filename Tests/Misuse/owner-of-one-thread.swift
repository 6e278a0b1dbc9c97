import ZeroCopy

#if MISUSE
  private final class Owner {
    var changes = 0
  }
#else
  private final class Owner: Sendable {
    let changes = 0
  }
#endif

/// The owner is released on whichever thread uses the socket then.
private func example(
  _ socket: inout ZeroCopySocket, _ memory: UnsafeRawBufferPointer, _ owner: Owner
) throws {
  // Nobody changes it before the owner is released.
  // error: type 'Owner' does not conform to the 'Sendable' protocol
  try unsafe socket.send(memory, keeping: owner)
}
