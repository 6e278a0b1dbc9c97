// Files and memory to send from, and terminals to report to.
#include "common.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t czc_file_size(int fd) {
  struct stat facts;
  if (fstat(fd, &facts) < 0) return -errno;
  if (S_ISDIR(facts.st_mode)) return -EISDIR;
  return S_ISREG(facts.st_mode) ? facts.st_size : -ESPIPE;
}

int czc_memory_file(void) {
#ifdef __linux__
  return czc_result(memfd_create("zerocopy", MFD_CLOEXEC));
#else
  return -ENOSYS;
#endif
}

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

int64_t czc_read(int fd, void *memory, size_t capacity) {
  ssize_t count;
  do {
    count = read(fd, memory, capacity);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

int czc_equal(const void *left, const void *right, size_t length) { return memcmp(left, right, length) == 0; }

int czc_is_terminal(int fd) { return isatty(fd) == 1; }
