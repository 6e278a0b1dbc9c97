import CZeroCopy
import ZeroCopy

/// What a notification takes of a socket's option memory.
public enum NotificationBlock {
  /// Differs by kernel; `nil` where it cannot be learnt.
  public static let byteCount: Int? = {
    let size = Int(czc_notification_block_size())
    return size > 0 ? size : nil
  }()
}

extension ZeroCopySocket {
  /// SO_MEMINFO: what is charged to the socket's option memory now, notifications and all else, in bytes.
  public var optionMemory: Int { Int(czc_option_memory(fileDescriptor.rawValue)) }
}
