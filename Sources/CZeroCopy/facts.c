// What the system allows: limits, versions, switches.
#include "common.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#endif

int czc_kernel_release(char *text, size_t capacity) {
  struct utsname system;
  if (uname(&system) < 0) return -errno;
  int count = snprintf(text, capacity, "%s", system.release);
  return (size_t)count < capacity ? count : (int)capacity - 1;
}

int64_t czc_locked_memory_limit(void) {
#ifdef RLIMIT_MEMLOCK
  struct rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) return -errno;
  return limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
#else
  return -ENOSYS;
#endif
}

int czc_locked_memory_unlimited(void) {
#ifdef __linux__
  // The kernel asks for the capability in the initial user namespace, whose number is fixed
  // (PROC_USER_INIT_INO): the root of any other namespace has the capability and still the limit.
  struct stat namespace;
  if (stat("/proc/self/ns/user", &namespace) < 0) return -errno;
  if (namespace.st_ino != 0xEFFFFFFDu) return 0;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (syscall(SYS_capget, &header, data) < 0) return -errno;
  return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
#else
  return -ENOSYS;
#endif
}

int64_t czc_option_memory_limit(void) {
#ifdef __linux__
  int fd = open("/proc/sys/net/core/optmem_max", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  char text[32];
  ssize_t count = read(fd, text, sizeof text - 1);
  int error = errno;
  close(fd);
  if (count < 0) return -error;
  text[count] = 0;
  return strtoll(text, NULL, 10);
#else
  return -ENOSYS;
#endif
}

int czc_switched_off(void) {
  const char *value = getenv("ZEROCOPY_DISABLE");
  return value && value[0] && strcmp(value, "0") != 0;
}
