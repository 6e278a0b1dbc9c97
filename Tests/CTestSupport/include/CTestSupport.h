// What Swift cannot say of threads and namespaces, for tests. 0, or -errno.
#ifndef CTESTSUPPORT_H
#define CTESTSUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "Faults.h"

// Takes CAP_IPC_LOCK from the calling thread, makes it another user where it may, and lets the process lock so
// many bytes: other threads of root keep the capability, and with it no limit. What the limit was before is
// written where that is asked for.
int cts_limit_locked_memory(uint64_t bytes, uint64_t *before);

// Whether a sanitizer was built in, which keeps memory back that was freed.
bool cts_is_sanitized(void);

#endif
