// Memory that can be copied and not pinned.
#define _GNU_SOURCE
#include "CTestSupport.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *cts_secret_memory(size_t count) {
#ifdef SYS_memfd_secret
  int file = (int)syscall(SYS_memfd_secret, 0);
#else
  int file = (int)syscall(447, 0);  // newer than some headers, and the same on all processors
#endif
  if (file < 0) return NULL;
  void *memory = ftruncate(file, (off_t)count) < 0
                     ? MAP_FAILED
                     : mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? NULL : memory;
}
