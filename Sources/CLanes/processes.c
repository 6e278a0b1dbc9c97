// Other processes and processors: who receives while this process sends.
#define _GNU_SOURCE 1
#include "CLanes.h"

#include <errno.h>

#ifdef __linux__

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int stay_on(long processor) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET((size_t)processor, &processors);
  return sched_setaffinity(0, sizeof processors, &processors) < 0 ? -errno : (int)processor;
}

int cln_stay_on_first_processor(void) { return sysconf(_SC_NPROCESSORS_ONLN) < 2 ? -ENOENT : stay_on(0); }

int cln_start(char *const arguments[], const char *network, bool on_last_processor, int *output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0) {
    int error = errno;
    close(ends[0]), close(ends[1]);
    return -error;
  }
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    if (network) {
      int there = open(network, O_RDONLY | O_CLOEXEC);
      if (there < 0 || setns(there, CLONE_NEWNET) < 0) _exit(127);
    }
    // Where that is not allowed, it goes without.
    long last = sysconf(_SC_NPROCESSORS_ONLN) - 1;
    if (on_last_processor && last > 0) stay_on(last);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    dup2(ends[1], 1), dup2(ends[1], 2);
    execv(arguments[0], arguments);
    _exit(127);
  }
  close(ends[1]);
  *output = ends[0];
  return child;
}

int cln_end(int process, bool at_once) {
  if (at_once) kill(process, SIGKILL);
  int status;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cln_notice_vanished_peer(int fd) {
  const int options[][3] = {
      {IPPROTO_TCP, TCP_KEEPIDLE, 30},
      {IPPROTO_TCP, TCP_KEEPINTVL, 10},
      {IPPROTO_TCP, TCP_KEEPCNT, 6},
      {SOL_SOCKET, SO_KEEPALIVE, 1},
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    if (setsockopt(fd, options[i][0], options[i][1], &options[i][2], sizeof(int)) < 0) return -errno;
  }
  return 0;
}

const char *cln_variable(const char *name) { return getenv(name); }

#else

int cln_stay_on_first_processor(void) { return -ENOSYS; }
int cln_start(char *const arguments[], const char *network, bool on_last_processor, int *output) {
  return (void)arguments, (void)network, (void)on_last_processor, (void)output, -ENOSYS;
}
int cln_end(int process, bool at_once) { return (void)process, (void)at_once, -ENOSYS; }
int cln_notice_vanished_peer(int fd) { return (void)fd, -ENOSYS; }
const char *cln_variable(const char *name) { return (void)name, (const char *)0; }

#endif
