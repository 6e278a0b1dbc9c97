// What the C files share, and where the platforms part.
#ifndef CZC_COMMON_H
#define CZC_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "CZeroCopy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __linux__
// Names that older headers lack; the numbers are the kernel's interface and do not change.
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif
#ifndef SOL_VSOCK
#define SOL_VSOCK 287
#endif
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0  // a platform without it (macOS) sets SO_NOSIGPIPE when the socket is opened
#endif

// CZC_SEND_… as the system has them, always with MSG_NOSIGNAL (rule 22). What the system lacks is left out.
static inline int czc_native_flags(int flags) {
  int native = MSG_NOSIGNAL;
  if (flags & CZC_SEND_DONTWAIT) native |= MSG_DONTWAIT;
#ifdef MSG_MORE
  if (flags & CZC_SEND_MORE) native |= MSG_MORE;
#endif
#ifdef __linux__
  if (flags & CZC_SEND_ZEROCOPY) native |= MSG_ZEROCOPY;
#endif
  return native;
}

// The result of a system call as this target answers it.
static inline int czc_result(long result) { return result < 0 ? -errno : (int)result; }

#endif
