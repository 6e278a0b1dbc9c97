#define _GNU_SOURCE 1
#include "CLanes.h"

#include <errno.h>

#ifdef __linux__

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -errno;
  int result = write(file, text, strlen(text)) < 0 ? -errno : 0;
  close(file);
  return result;
}

int cln_enter_new_network(bool as_new_user) {
  unsigned user = geteuid(), group = getegid();
  if (unshare(CLONE_NEWNET | (as_new_user ? CLONE_NEWUSER : 0)) < 0) return -errno;
  if (!as_new_user) return 0;
  char map[64];
  snprintf(map, sizeof map, "0 %u 1", user);
  int result = write_file("/proc/self/uid_map", map);
  // An ordinary user may map a group only once it has given up setgroups(2).
  if (result == 0) result = write_file("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "0 %u 1", group);
  return result == 0 ? write_file("/proc/self/gid_map", map) : result;
}

int cln_network(void) {
  int network = open("/proc/thread-self/ns/net", O_RDONLY);
  return network < 0 ? -errno : network;
}

int cln_enter_network(int network) { return setns(network, CLONE_NEWNET) < 0 ? -errno : 0; }

static int bpf(enum bpf_cmd command, union bpf_attr *attributes) {
  int result = (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
  return result < 0 ? -errno : result;
}

int cln_attach_pass_program(const char *interface) {
  unsigned index = if_nametoindex(interface);
  if (index == 0) return -errno;
  const struct bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_XDP;
  load.insns = (uintptr_t)program;
  load.insn_cnt = sizeof program / sizeof program[0];
  load.license = (uintptr_t) "Apache-2.0";
  load.expected_attach_type = BPF_XDP;
  // Packets larger than a page come in fragments.
  load.prog_flags = BPF_F_XDP_HAS_FRAGS;
  int loaded = bpf(BPF_PROG_LOAD, &load);
  if (loaded < 0) return loaded;
  union bpf_attr link;
  memset(&link, 0, sizeof link);
  link.link_create.prog_fd = loaded;
  link.link_create.target_ifindex = index;
  link.link_create.attach_type = BPF_XDP;
  link.link_create.flags = XDP_FLAGS_DRV_MODE;
  int attached = bpf(BPF_LINK_CREATE, &link);
  close(loaded);
  // The kernel makes it close-on-exec, but the program has to stay for whom we become.
  if (attached >= 0 && fcntl(attached, F_SETFD, 0) < 0) return -errno;
  return attached;
}

int cln_run_script(const char *script) {
  char *arguments[] = {"sh", "-ec", (char *)script, NULL};
  pid_t shell;
  int result = posix_spawn(&shell, "/bin/sh", NULL, NULL, arguments, environ);
  if (result != 0) return -result;
  int status;
  while (waitpid(shell, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cln_occupy_last_processor(void) {
  pid_t parent = getpid();
  pid_t child = fork();
  if (child != 0) return child < 0 ? -errno : 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  // Whoever waits for the end of an inherited pipe does not wait for this.
  syscall(SYS_close_range, 0, ~0U, 0);
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &processors);
  sched_setaffinity(0, sizeof processors, &processors);
  for (volatile unsigned spin = 0;; spin++) {
  }
}

int cln_set_variable(const char *name, const char *value) { return setenv(name, value, 1) < 0 ? -errno : 0; }

int cln_process(void) { return getpid(); }

bool cln_is_root(void) { return geteuid() == 0; }

char *cln_copy(const char *text) { return strdup(text); }

void cln_free(char *text) { free(text); }

int cln_become(char *const arguments[]) {
  execvp(arguments[0], arguments);
  return -errno;
}

#else

int cln_enter_new_network(bool as_new_user) { return (void)as_new_user, -ENOSYS; }
int cln_network(void) { return -ENOSYS; }
int cln_enter_network(int network) { return (void)network, -ENOSYS; }
int cln_attach_pass_program(const char *interface) { return (void)interface, -ENOSYS; }
int cln_run_script(const char *script) { return (void)script, -ENOSYS; }
int cln_occupy_last_processor(void) { return -ENOSYS; }
int cln_set_variable(const char *name, const char *value) { return (void)name, (void)value, -ENOSYS; }
int cln_process(void) { return -ENOSYS; }
bool cln_is_root(void) { return false; }
char *cln_copy(const char *text) { return (void)text, (char *)0; }
void cln_free(char *text) { (void)text; }
int cln_become(char *const arguments[]) { return (void)arguments, -ENOSYS; }

#endif
