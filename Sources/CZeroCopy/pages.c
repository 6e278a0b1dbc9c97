// Memory that pools are made of.
#include "common.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

size_t czc_page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

int czc_protect(void *memory, size_t length, bool accessible) {
  return czc_result(mprotect(memory, length, accessible ? PROT_READ | PROT_WRITE : PROT_NONE));
}

#ifdef __linux__

#include <sys/prctl.h>

// Newer than some headers.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

// The number that a file of the kernel's begins with; 0 where there is none.
static size_t number_in(const char *path, const char *behind) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[2048];
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  if (count <= 0) return 0;
  text[count] = 0;
  const char *start = behind ? strstr(text, behind) : text;
  return start ? strtoull(start + (behind ? strlen(behind) : 0), NULL, 10) : 0;
}

size_t czc_huge_page_size(void) {
  size_t size = number_in("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", NULL);
  return size ? size : 2u << 20;
}

// A hierarchy of control groups, and the files in which a group of it says what it may have, has, and can do without:
// what its files take can be had, too.
typedef struct hierarchy {
  const char *line;  // What precedes a process's group in /proc/self/cgroup.
  const char *root;
  const char *limit, *used, *files;
} hierarchy;

static const hierarchy unified = {"0::", "/sys/fs/cgroup", "memory.max", "memory.current", "\nfile "};
static const hierarchy memory_alone = {
    ":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "\ntotal_cache "};

// What a control group's limit leaves, or less than 0 where it has none.
static int64_t left_in_group(const hierarchy *of, const char *group) {
  char path[1024];
  const char *names[] = {of->limit, of->used, "memory.stat"};
  size_t values[3];
  for (int i = 0; i < 3; i++) {
    int length = snprintf(path, sizeof path, "%s%s/%s", of->root, group, names[i]);
    if (length < 0 || (size_t)length >= sizeof path) return -1;
    values[i] = number_in(path, i == 2 ? of->files : NULL);
    // "max" is no number.
    if (i == 0 && values[0] == 0) return -1;
  }
  int64_t used = values[1] > values[2] ? (int64_t)(values[1] - values[2]) : 0;
  return (int64_t)values[0] > used ? (int64_t)values[0] - used : 0;
}

// The least that a process's groups of a hierarchy leave, from its own one up; INT64_MAX where nothing is said.
static int64_t left_in_groups(const hierarchy *of, const char *groups) {
  int64_t least = INT64_MAX;
  const char *line = strstr(groups, of->line);
  if (!line) return least;
  char group[900];
  size_t length = strcspn(line += strlen(of->line), "\n");
  if (length == 0 || length >= sizeof group) return least;
  memcpy(group, line, length);
  group[length] = 0;
  for (;;) {
    // In a container its own group is the root.
    int64_t left = left_in_group(of, strcmp(group, "/") == 0 ? "" : group);
    if (left >= 0 && left < least) least = left;
    char *end = strrchr(group, '/');
    if (!end || strcmp(group, "/") == 0) return least;
    end[end == group ? 1 : 0] = 0;
  }
}

// The same of all hierarchies.
static int64_t left_in_all_groups(void) {
  int file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (file < 0) return INT64_MAX;
  char text[4096];
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  if (count <= 0) return INT64_MAX;
  text[count] = 0;
  int64_t left = left_in_groups(&unified, text), alone = left_in_groups(&memory_alone, text);
  return left < alone ? left : alone;
}

int64_t czc_available_memory(void) {
  size_t kilobytes = number_in("/proc/meminfo", "MemAvailable:");
  if (!kilobytes) return -ENOSYS;
  int64_t available = (int64_t)kilobytes << 10, left = left_in_all_groups();
  return available < left ? available : left;
}

// Writes to each page: memory that was never written is the shared zero page, which would go out as zeros
// whatever is written later (rule 23).
static int populate(void *memory, size_t length) {
  if (madvise(memory, length, MADV_POPULATE_WRITE) == 0) return 0;
  if (errno != EINVAL) return -errno;
  size_t page = czc_page_size();
  for (size_t at = 0; at < length; at += page) ((volatile char *)memory)[at] = 0;
  return 0;
}

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

// The size is asked for: the system's default may be another one, and the kernel rounds lengths up to it.
static int flags_for(int pages) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  if (pages == CZC_PAGES_RESERVED) flags |= MAP_HUGETLB | __builtin_ctzl(czc_huge_page_size()) << 26;  // MAP_HUGE_SHIFT
  return flags;
}

// Fresh pages of a kind at a place: one that is ours (MAP_FIXED), or that nobody has (MAP_FIXED_NOREPLACE).
static int fresh_pages(void *memory, size_t length, int pages, int fixed) {
  int protection = PROT_READ | PROT_WRITE;
  void *fresh = mmap(memory, length, protection, flags_for(pages) | fixed, -1, 0);
  if (fresh == MAP_FAILED) return -errno;
  if (fresh != memory) {
    // A kernel that takes the place for a wish.
    munmap(fresh, length);
    return -EEXIST;
  }
  if (pages == CZC_PAGES_HUGE) madvise(memory, length, MADV_HUGEPAGE);
  return 0;
}

static void *map_reserved(size_t length, int *error) {
  void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, flags_for(CZC_PAGES_RESERVED), -1, 0);
  int result = memory == MAP_FAILED ? -errno : populate(memory, length);
  if (result == 0) return memory;
  if (memory != MAP_FAILED) munmap(memory, length);
  *error = -result;
  return NULL;
}

void *czc_map_pages(size_t length, int pages, int *error) {
  // Aligned by themselves.
  if (pages == CZC_PAGES_RESERVED) return map_reserved(length, error);
  size_t alignment = pages == CZC_PAGES_STANDARD ? czc_page_size() : czc_huge_page_size();
  // A place that begins at a huge page is found in a larger one, whose ends are given back.
  char *place = mmap(NULL, length + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) {
    *error = errno;
    return NULL;
  }
  size_t before = (alignment - (uintptr_t)place % alignment) % alignment;
  char *memory = place + before;
  if (before) munmap(place, before);
  munmap(memory + length, alignment - before);
  int result = fresh_pages(memory, length, pages, MAP_FIXED);
  if (result < 0) {
    // What is there now may be somebody else's already.
    *error = -result;
    return NULL;
  }
  result = populate(memory, length);
  if (result == 0) return memory;
  munmap(memory, length);
  *error = -result;
  return NULL;
}

static bool uses_huge_pages(void) {
  int file = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[64] = {0};
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  return count > 0 && strstr(text, "[never]") == NULL;
}

bool czc_is_huge(void *memory, size_t length) {
  if (!uses_huge_pages()) return false;
  if (madvise(memory, length, MADV_COLLAPSE) == 0) return true;
  // Before 6.1 the kernel does not know the question; but also then nothing is huge where the process may not have it.
  return errno == EINVAL && madvise(memory, 0, MADV_COLLAPSE) != 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0;
}

int czc_replace_pages(void *memory, size_t length, int pages) {
  int result = fresh_pages(memory, length, pages, MAP_FIXED);
  // A MAP_FIXED that failed may have left a hole, which another thread's mapping may have filled since.
  if (result < 0) result = fresh_pages(memory, length, CZC_PAGES_STANDARD, MAP_FIXED_NOREPLACE);
  // Ordinary pages that are not there yet come when they are written to. Of huge ones that were promised there may be
  // none, or a control group allows no more: to write to those ends the process (rule 26).
  if (result < 0 || populate(memory, length) == 0 || pages != CZC_PAGES_RESERVED) return result;
  result = fresh_pages(memory, length, CZC_PAGES_STANDARD, MAP_FIXED);
  if (result == 0) populate(memory, length);
  return result;
}

#else

size_t czc_huge_page_size(void) { return czc_page_size(); }

int64_t czc_available_memory(void) { return -ENOSYS; }

void *czc_map_pages(size_t length, int pages, int *error) {
  (void)pages;
  void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) return memory;
  *error = errno;
  return NULL;
}

bool czc_is_huge(void *memory, size_t length) { return (void)memory, (void)length, false; }

int czc_replace_pages(void *memory, size_t length, int pages) {
  (void)pages;
  void *fresh =
      mmap(memory, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return fresh == MAP_FAILED ? -errno : 0;
}

#endif
