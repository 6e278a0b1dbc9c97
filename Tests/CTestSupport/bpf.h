// bpf(2), which libc does not wrap. Every descriptor that it makes closes on exec.
#ifndef CTS_BPF_H
#define CTS_BPF_H

#ifdef __linux__

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// All of it zero, as the kernel wants what a command does not use: an initializer may leave the rest of a union.
static inline union bpf_attr cts_bpf_nothing(void) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  return attributes;
}

// The result, or -errno.
static inline int cts_bpf(enum bpf_cmd command, union bpf_attr *attributes) {
  long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);
  return result < 0 ? -errno : (int)result;
}

static inline uint64_t cts_bpf_pointer(const void *memory) { return (uint64_t)(uintptr_t)memory; }

static inline int cts_bpf_load(enum bpf_prog_type type, const struct bpf_insn *program, size_t count) {
  union bpf_attr attributes = cts_bpf_nothing();
  attributes.prog_type = type;
  attributes.insn_cnt = (uint32_t)count;
  attributes.insns = cts_bpf_pointer(program);
  attributes.license = cts_bpf_pointer("GPL");
  return cts_bpf(BPF_PROG_LOAD, &attributes);
}

// Writes one entry of a map whose keys are of 4 bytes.
static inline int cts_bpf_put(int map, uint32_t key, const void *value) {
  union bpf_attr attributes = cts_bpf_nothing();
  attributes.map_fd = (uint32_t)map;
  attributes.key = cts_bpf_pointer(&key);
  attributes.value = cts_bpf_pointer(value);
  return cts_bpf(BPF_MAP_UPDATE_ELEM, &attributes);
}

static inline int cts_bpf_remove(int map, uint32_t key) {
  union bpf_attr attributes = cts_bpf_nothing();
  attributes.map_fd = (uint32_t)map;
  attributes.key = cts_bpf_pointer(&key);
  return cts_bpf(BPF_MAP_DELETE_ELEM, &attributes);
}

#endif

#endif
