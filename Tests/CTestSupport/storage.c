// Socket storage: bytes that belong to a map of BPF, and are charged to the socket whose key they have.
#include "CTestSupport.h"

#include <errno.h>

#ifdef __linux__

#include "bpf.h"

#include <linux/btf.h>
#include <pthread.h>
#include <string.h>

enum { SIZES = 16 };

// One map for each size that was asked for, kept: with a map goes what is stored by it.
static struct {
  int bytes;
  int map;
} maps[SIZES];
static int count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

enum { INT = 1, CHAR, ARRAY };

// Such a map needs to know the types of its keys and values: an int, and an array of so many chars.
static int load_types(int bytes) {
  static const char names[] = "\0int\0char";
  struct {
    struct btf_header header;
    struct btf_type int_type;
    uint32_t int_bits;
    struct btf_type char_type;
    uint32_t char_bits;
    struct btf_type array_type;
    struct btf_array array;
    char names[sizeof names];
  } types = {
      .header = {.magic = BTF_MAGIC,
                 .version = BTF_VERSION,
                 .hdr_len = sizeof(struct btf_header),
                 .type_len = offsetof(__typeof__(types), names) - sizeof(struct btf_header),
                 .str_off = offsetof(__typeof__(types), names) - sizeof(struct btf_header),
                 .str_len = sizeof names},
      .int_type = {.name_off = 1, .info = BTF_KIND_INT << 24, .size = 4},
      .int_bits = BTF_INT_SIGNED << 24 | 32,
      .char_type = {.name_off = 5, .info = BTF_KIND_INT << 24, .size = 1},
      .char_bits = 8,
      .array_type = {.info = (uint32_t)BTF_KIND_ARRAY << 24},
      .array = {.type = CHAR, .index_type = INT, .nelems = (uint32_t)bytes},
  };
  memcpy(types.names, names, sizeof names);
  union bpf_attr attributes = cts_bpf_nothing();
  attributes.btf = cts_bpf_pointer(&types);
  attributes.btf_size = offsetof(__typeof__(types), names) + sizeof names;
  return cts_bpf(BPF_BTF_LOAD, &attributes);
}

static int make_map(int bytes) {
  int types = load_types(bytes);
  if (types < 0) return types;
  union bpf_attr attributes = cts_bpf_nothing();
  attributes.map_type = BPF_MAP_TYPE_SK_STORAGE;
  attributes.key_size = sizeof(int);
  attributes.value_size = (uint32_t)bytes;
  attributes.map_flags = BPF_F_NO_PREALLOC;
  attributes.btf_fd = (uint32_t)types;
  attributes.btf_key_type_id = INT;
  attributes.btf_value_type_id = ARRAY;
  int map = cts_bpf(BPF_MAP_CREATE, &attributes);
  close(types);
  return map;
}

// Under the lock.
static int map_of(int bytes) {
  for (int i = 0; i < count; i++) {
    if (maps[i].bytes == bytes) return maps[i].map;
  }
  if (count == SIZES) return -ENOSPC;
  int map = make_map(bytes);
  if (map < 0) return map;
  maps[count].bytes = bytes;
  maps[count++].map = map;
  return map;
}

static int store(int fd, int bytes) {
  int kept = -1;
  if (bytes > 0) {
    static const char zeros[4096];
    if (bytes > (int)sizeof zeros) return -EINVAL;
    kept = map_of(bytes);
    if (kept < 0) return kept;
    int result = cts_bpf_put(kept, (uint32_t)fd, zeros);
    if (result < 0) return result;
  }
  int removed = 0;
  for (int i = 0; i < count; i++) {
    if (maps[i].map != kept && cts_bpf_remove(maps[i].map, (uint32_t)fd) == 0) removed++;
  }
  return kept >= 0 || removed > 0 ? 0 : -ENOENT;
}

int cts_store(int fd, int bytes) {
  pthread_mutex_lock(&lock);
  int result = store(fd, bytes);
  pthread_mutex_unlock(&lock);
  return result;
}

#else

int cts_store(int fd, int bytes) { return (void)fd, (void)bytes, -ENOSYS; }

#endif
