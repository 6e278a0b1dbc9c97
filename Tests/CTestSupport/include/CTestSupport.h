// What Swift cannot say, or says slowly in a debug build, for tests.
#ifndef CTESTSUPPORT_H
#define CTESTSUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "Faults.h"
#include "OptionMemory.h"
#include "Sockmap.h"

// Takes CAP_IPC_LOCK from the calling thread, makes it another user where it may, and lets the process lock so
// many bytes: other threads of root keep the capability, and with it no limit. What the limit was before is
// written where that is asked for.
int cts_limit_locked_memory(uint64_t bytes, uint64_t *before);

// Gives the calling thread a tree of mounts of its own.
int cts_enter_own_mounts(void);

// From now on the process gets no transparent huge pages.
int cts_forgo_huge_pages(void);

// Whether a sanitizer was built in, which keeps memory back that was freed.
bool cts_is_sanitized(void);

// Writes random bytes: in Swift tens of MiB would take most of a test's time.
void cts_fill_random(void *memory, size_t count, uint64_t seed);

// Opens a packet socket that gets, from the network header on, what the card of the calling thread's network receives:
// of those, the first. A read waits at most so many milliseconds. -errno.
int cts_open_tap(int buffer, int patience);

// How many packets it had no room for, since this was last asked; -errno.
int cts_tap_missed(int fd);

// From now on, and for good, socket(2) of that family answers the calling thread EAFNOSUPPORT, as a kernel does that
// has no such family.
int cts_refuse_family(int family);

// Maps memory that send(2) can copy and the kernel cannot pin (memfd_secret); NULL where the system has none.
void *cts_secret_memory(size_t count);

#endif
