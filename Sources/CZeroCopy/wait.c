// Waiting for notifications, and telling the time.
#include "common.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

static uint64_t read_clock(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) < 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t czc_now(void) { return read_clock(CLOCK_MONOTONIC); }
uint64_t czc_thread_cpu(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
uint64_t czc_process_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

void czc_pause(uint64_t nanoseconds) {
  uint64_t milliseconds = nanoseconds / 1000000u + (nanoseconds % 1000000u != 0);
  poll(NULL, 0, milliseconds > 3600000u ? 3600000 : (int)milliseconds);
}

#ifdef __linux__

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

// Not pthread_self: a thread that ends leaves its number to the next one, with another clock.
uintptr_t czc_thread(void) { return (uintptr_t)syscall(SYS_gettid); }

int czc_waiter_open(int fd) {
  int waiter = epoll_create1(EPOLL_CLOEXEC);
  if (waiter < 0) return -errno;
  // EPOLLERR and EPOLLHUP need not be asked for. Edge-triggered: poll would wake for ever once both
  // directions are shut (rule 14), this wakes once for each notification (rule 15).
  struct epoll_event event = {.events = EPOLLET};
  if (epoll_ctl(waiter, EPOLL_CTL_ADD, fd, &event) < 0) {
    int error = errno;
    close(waiter);
    return -error;
  }
  return waiter;
}

int czc_waiter_want_writable(int waiter, int fd, bool writable) {
  struct epoll_event event = {.events = writable ? EPOLLET | EPOLLOUT : EPOLLET};
  return czc_result(epoll_ctl(waiter, EPOLL_CTL_MOD, fd, &event));
}

int czc_waiter_wait(int waiter, uint64_t nanoseconds) {
  uint64_t milliseconds = nanoseconds / 1000000u + (nanoseconds % 1000000u != 0);
  struct epoll_event event;
  int count = epoll_wait(waiter, &event, 1, milliseconds > 3600000u ? 3600000 : (int)milliseconds);
  if (count <= 0) return czc_result(count);
  if (event.data.u64 == CZC_EVENT_RING) return CZC_EVENT_RING;
  int events = 0;
  if (event.events & EPOLLERR) events |= CZC_EVENT_ERROR;
  if (event.events & EPOLLHUP) events |= CZC_EVENT_HANGUP;
  if (event.events & EPOLLOUT) events |= CZC_EVENT_WRITABLE;
  return events;
}

int czc_bell_open(void) { return czc_result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void czc_bell_ring(int bell) {
  uint64_t one = 1;
  // Nobody reads it: each write is an edge for every waiter, and 64 bits are never full.
  ssize_t written = write(bell, &one, sizeof one);
  (void)written;
}

int czc_waiter_hear(int waiter, int bell, bool hears) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = CZC_EVENT_RING};
  return czc_result(epoll_ctl(waiter, hears ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, bell, &event));
}

#else

uintptr_t czc_thread(void) { return (uintptr_t)pthread_self(); }

// No bell: without zero copy no socket holds a buffer for long, and waits are short instead.
int czc_bell_open(void) { return -ENOSYS; }
void czc_bell_ring(int bell) { (void)bell; }
int czc_waiter_hear(int waiter, int bell, bool hears) { return (void)waiter, (void)bell, (void)hears, -ENOSYS; }

// Without zero copy the only thing to wait for is room to write, and a plain poll of the socket
// itself does: the "waiter" is a duplicate of the descriptor.
int czc_waiter_open(int fd) { return czc_duplicate(fd); }

int czc_waiter_want_writable(int waiter, int fd, bool writable) {
  (void)waiter, (void)fd, (void)writable;
  return 0;
}

int czc_waiter_wait(int waiter, uint64_t nanoseconds) {
  uint64_t milliseconds = nanoseconds / 1000000u + (nanoseconds % 1000000u != 0);
  struct pollfd wanted = {.fd = waiter, .events = POLLOUT};
  int count = poll(&wanted, 1, milliseconds > 3600000u ? 3600000 : (int)milliseconds);
  if (count <= 0) return czc_result(count);
  int events = 0;
  if (wanted.revents & POLLERR) events |= CZC_EVENT_ERROR;
  if (wanted.revents & POLLHUP) events |= CZC_EVENT_HANGUP;
  if (wanted.revents & POLLOUT) events |= CZC_EVENT_WRITABLE;
  return events;
}

#endif
