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

// The result of a system call as this target answers it.
static inline int czc_result(long result) { return result < 0 ? -errno : (int)result; }

#endif
