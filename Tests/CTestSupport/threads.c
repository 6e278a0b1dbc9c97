#define _GNU_SOURCE 1
#include "CTestSupport.h"

#ifdef __linux__

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int cts_limit_locked_memory(uint64_t bytes) {
  // The system calls, and not libcap: those are for one thread.
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, data) < 0) return -errno;
  data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
  if (syscall(SYS_capset, &header, data) < 0) return -errno;
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) return -errno;
  limit.rlim_cur = bytes;
  return setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ? -errno : 0;
}

int cts_enter_new_network(const char *script) {
  if (unshare(CLONE_NEWNET) < 0) return -errno;
  char *arguments[] = {"sh", "-ec", (char *)script, NULL};
  pid_t shell;
  // Started by this thread, the shell is in this thread's network.
  int result = posix_spawn(&shell, "/bin/sh", NULL, NULL, arguments, environ);
  if (result != 0) return -result;
  int status;
  while (waitpid(shell, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

#else

#include <errno.h>

int cts_limit_locked_memory(uint64_t bytes) { return (void)bytes, -ENOSYS; }
int cts_enter_new_network(const char *script) { return (void)script, -ENOSYS; }

#endif
