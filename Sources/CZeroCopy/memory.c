// Memory to send from, and terminals to report to.
#include "common.h"

#include <sys/mman.h>
#include <unistd.h>

static void *checked(void *memory, int *error) {
  if (memory != MAP_FAILED) return memory;
  *error = errno;
  return NULL;
}

void *czc_map_file(int fd, size_t length, int *error) {
  return checked(mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0), error);
}

void *czc_map_memory(size_t length, int *error) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_POPULATE
  flags |= MAP_POPULATE;
#endif
  return checked(mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0), error);
}

int czc_unmap(void *memory, size_t length) { return czc_result(munmap(memory, length)); }

int czc_is_terminal(int fd) { return isatty(fd) == 1; }
