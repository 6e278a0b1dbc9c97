// What else than notifications is charged to a socket's option memory. See OptionMemory.h.
#define _GNU_SOURCE 1
#include "CTestSupport.h"

#include <errno.h>

#ifdef __linux__

#include "bpf.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST_INSTRUCTIONS = 4096, MOST_GROUPS = 16, MOST_KEYS = 16, MOST_SOURCES = 64, MOST_BYTES = 2048 };

static int set(int fd, int level, int name, const void *value, size_t size) {
  return setsockopt(fd, level, name, value, (socklen_t)size) < 0 ? -errno : 0;
}

// ---- Filters ----------------------------------------------------------------------------------

static int detach(int fd) {
  int unused = 0;
  return set(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

int cts_attach_filter(int fd, int instructions) {
  if (instructions == 0) return detach(fd);
  if (instructions < 0 || instructions > MOST_INSTRUCTIONS) return -EINVAL;
  struct sock_filter program[MOST_INSTRUCTIONS];
  for (int i = 0; i < instructions - 1; i++) program[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
  program[instructions - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
  struct sock_fprog filter = {.len = (unsigned short)instructions, .filter = program};
  return set(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

int cts_attach_program(int fd, int instructions) {
  if (instructions == 0) return detach(fd);
  if (instructions < 2 || instructions > MOST_INSTRUCTIONS) return -EINVAL;
  struct bpf_insn code[MOST_INSTRUCTIONS];
  for (int i = 0; i < instructions - 1; i++)
    code[i] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1};
  code[instructions - 1] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
  int program = cts_bpf_load(BPF_PROG_TYPE_SOCKET_FILTER, code, (size_t)instructions);
  if (program < 0) return program;
  int result = set(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program);
  close(program);
  return result;
}

// ---- Addresses --------------------------------------------------------------------------------

// The numbered one of those that begin like this; the number is below 256.
static struct sockaddr_storage numbered(int family, const char *first, int number) {
  struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
  if (family == AF_INET6) {
    struct in6_addr *bytes = &((struct sockaddr_in6 *)&address)->sin6_addr;
    inet_pton(AF_INET6, first, bytes);
    bytes->s6_addr[15] = (uint8_t)number;
  } else {
    struct in_addr *bytes = &((struct sockaddr_in *)&address)->sin_addr;
    inet_pton(AF_INET, first, bytes);
    bytes->s_addr |= htonl((uint32_t)number);
  }
  return address;
}

static struct sockaddr_storage group(int family, int number) {
  return numbered(family, family == AF_INET6 ? "ff15::7a63:0" : "239.255.99.0", number);
}

// Addresses for documentation, which nobody has.
static struct sockaddr_storage stranger(int family, int number) {
  return numbered(family, family == AF_INET6 ? "2001:db8::" : "192.0.2.0", number);
}

// ---- Groups -----------------------------------------------------------------------------------

static int level_of(int family) { return family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP; }

// Not IP_ADD_MEMBERSHIP, which a TCP socket is refused.
static int change_group(int fd, int family, int name, int number) {
  struct group_req request = {.gr_interface = if_nametoindex("lo"), .gr_group = group(family, number)};
  return set(fd, level_of(family), name, &request, sizeof request);
}

int cts_join_groups(int fd, int family, int count) {
  if (count < 0 || count > MOST_GROUPS) return -EINVAL;
  for (int i = 1; i <= count; i++) {
    int result = change_group(fd, family, MCAST_JOIN_GROUP, i);
    if (result < 0 && result != -EADDRINUSE) return result;
  }
  for (int i = count + 1; i <= MOST_GROUPS; i++) change_group(fd, family, MCAST_LEAVE_GROUP, i);
  return 0;
}

int cts_list_sources(int fd, int family, int count) {
  enum { LISTED = 255 };
  if (count == 0) return change_group(fd, family, MCAST_LEAVE_GROUP, LISTED);
  if (count < 0 || count > MOST_SOURCES) return -EINVAL;
  int result = change_group(fd, family, MCAST_JOIN_GROUP, LISTED);
  if (result < 0 && result != -EADDRINUSE) return result;
  _Alignas(struct group_filter) unsigned char memory[GROUP_FILTER_SIZE(MOST_SOURCES)] = {0};
  struct group_filter *list = (struct group_filter *)memory;
  list->gf_interface = if_nametoindex("lo");
  list->gf_group = group(family, LISTED);
  list->gf_fmode = MCAST_INCLUDE;
  list->gf_numsrc = (uint32_t)count;
  for (int i = 0; i < count; i++) {
    struct sockaddr_storage source = stranger(family, i + 1);
    memcpy(&list->gf_slist[i], &source, sizeof source);
  }
  return set(fd, level_of(family), MCAST_MSFILTER, list, GROUP_FILTER_SIZE((size_t)count));
}

// ---- Headers and keys -------------------------------------------------------------------------

int cts_set_header_options(int fd, int bytes) {
  if (bytes < 0 || bytes > MOST_BYTES || bytes % 8 != 0) return -EINVAL;
  // What comes next, and the length in 8 bytes beyond the first 8. Then options of at most 257 bytes: the number 0x1E
  // is for experiments, and says that who does not know it shall skip it.
  unsigned char header[MOST_BYTES] = {0, (unsigned char)(bytes / 8 - 1)};
  for (int at = 2; at < bytes;) {
    int size = bytes - at;
    if (size > 257) size = size == 258 ? 256 : 257;
    header[at] = 0x1E;
    header[at + 1] = (unsigned char)(size - 2);
    at += size;
  }
  return set(fd, IPPROTO_IPV6, IPV6_DSTOPTS, header, (size_t)bytes);
}

int cts_add_keys(int fd, int count) {
  if (count < 0 || count > MOST_KEYS) return -EINVAL;
  int family = AF_INET;
  socklen_t size = sizeof family;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return -errno;
  for (int i = 1; i <= MOST_KEYS; i++) {
    // A key without a length is removed.
    struct tcp_md5sig key = {.tcpm_addr = stranger(family, i), .tcpm_keylen = i <= count ? 4 : 0, .tcpm_key = "key"};
    int result = set(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key);
    if (i <= count && result < 0) return result;
  }
  return 0;
}

#else

int cts_attach_filter(int fd, int instructions) { return (void)fd, (void)instructions, -ENOSYS; }
int cts_attach_program(int fd, int instructions) { return (void)fd, (void)instructions, -ENOSYS; }
int cts_join_groups(int fd, int family, int count) { return (void)fd, (void)family, (void)count, -ENOSYS; }
int cts_list_sources(int fd, int family, int count) { return (void)fd, (void)family, (void)count, -ENOSYS; }
int cts_set_header_options(int fd, int bytes) { return (void)fd, (void)bytes, -ENOSYS; }
int cts_add_keys(int fd, int count) { return (void)fd, (void)count, -ENOSYS; }

#endif
