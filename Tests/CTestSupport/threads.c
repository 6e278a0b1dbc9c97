#define _GNU_SOURCE 1
#include "CTestSupport.h"

#ifdef __linux__

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int cts_limit_locked_memory(uint64_t bytes, uint64_t *before) {
  // The system calls, and not libc or libcap: these are for one thread. A user that nobody else is, because
  // the kernel counts by user, and other processes of ours may lock memory too; none where there is but one
  // user, as in a namespace.
  uid_t user = 0x40000000u + (uid_t)syscall(SYS_gettid);
  if (geteuid() == 0 && syscall(SYS_setresuid, user, user, user) < 0 && errno != EINVAL) return -errno;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, data) < 0) return -errno;
  data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
  if (syscall(SYS_capset, &header, data) < 0) return -errno;
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) return -errno;
  if (before) *before = limit.rlim_cur;
  limit.rlim_cur = bytes;
  return setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ? -errno : 0;
}

int cts_enter_own_mounts(void) {
  if (unshare(CLONE_NEWNS) < 0) return -errno;
  // Else what is mounted here is mounted everywhere.
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

int cts_forgo_huge_pages(void) { return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0 ? -errno : 0; }

#else

#include <errno.h>

int cts_limit_locked_memory(uint64_t bytes, uint64_t *before) { return (void)bytes, (void)before, -ENOSYS; }
int cts_enter_own_mounts(void) { return -ENOSYS; }
int cts_forgo_huge_pages(void) { return -ENOSYS; }

#endif
