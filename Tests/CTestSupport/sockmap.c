// A map of BPF that sockets can be put into, and the program that is asked about what they send.
#include "CTestSupport.h"

#include <errno.h>

#ifdef __linux__

#include "bpf.h"

// Lets everything through.
static int load_passing(void) {
  const struct bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = SK_PASS},
      {.code = BPF_JMP | BPF_EXIT},
  };
  return cts_bpf_load(BPF_PROG_TYPE_SK_MSG, program, sizeof program / sizeof program[0]);
}

// return bpf_msg_redirect_map(message, map, CTS_SOCKMAP_RECEIVER, BPF_F_INGRESS): the receiver can read it at once.
static int load_redirecting(int map) {
  const struct bpf_insn program[] = {
      // The number of the map takes two instructions; the message is in the first register already.
      {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_2, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
      {.code = 0},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = CTS_SOCKMAP_RECEIVER},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4, .imm = BPF_F_INGRESS},
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_msg_redirect_map},
      {.code = BPF_JMP | BPF_EXIT},
  };
  return cts_bpf_load(BPF_PROG_TYPE_SK_MSG, program, sizeof program / sizeof program[0]);
}

static int attach(int map, int program) {
  union bpf_attr attributes = cts_bpf_nothing();
  attributes.target_fd = (uint32_t)map;
  attributes.attach_bpf_fd = (uint32_t)program;
  attributes.attach_type = BPF_SK_MSG_VERDICT;
  return cts_bpf(BPF_PROG_ATTACH, &attributes);
}

int cts_make_sockmap(bool redirects, cts_sockmap *made) {
  union bpf_attr attributes = cts_bpf_nothing();
  attributes.map_type = BPF_MAP_TYPE_SOCKMAP;
  attributes.key_size = sizeof(uint32_t);
  attributes.value_size = sizeof(int);
  attributes.max_entries = 2;
  int map = cts_bpf(BPF_MAP_CREATE, &attributes);
  if (map < 0) return map;
  int program = redirects ? load_redirecting(map) : load_passing();
  int result = program < 0 ? program : attach(map, program);
  if (result == 0) {
    *made = (cts_sockmap){.map = map, .program = program};
    return 0;
  }
  if (program >= 0) close(program);
  close(map);
  return result;
}

int cts_put_into_sockmap(int map, int place, int fd) { return cts_bpf_put(map, (uint32_t)place, &fd); }
int cts_take_out_of_sockmap(int map, int place) { return cts_bpf_remove(map, (uint32_t)place); }

#else

int cts_make_sockmap(bool redirects, cts_sockmap *made) { return (void)redirects, (void)made, -ENOSYS; }
int cts_put_into_sockmap(int map, int place, int fd) { return (void)map, (void)place, (void)fd, -ENOSYS; }
int cts_take_out_of_sockmap(int map, int place) { return (void)map, (void)place, -ENOSYS; }

#endif
