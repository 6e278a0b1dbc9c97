// The system calls that the library makes, as tests may change them. See Faults.h.
#define _GNU_SOURCE 1
#include "Faults.h"

#ifdef __linux__

#include <dlfcn.h>
#include <errno.h>
#include <time.h>  // before errqueue.h, which needs it

#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOTS = 256, ZERO_COPY = 0x4000000 /* MSG_ZEROCOPY */, MOST_BUFFERS = 1024 };

typedef struct slot {
  bool used;
  int fd;
  int waiter;  // the epoll descriptor that watches fd
  cts_hooks hooks;
} slot;

static slot slots[SLOTS];
static atomic_int active;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// The next definition after ours: a sanitizer's where there is one, which is linked into the same
// executable under this name, else libc's.
#define NEXT(result, name, parameters)                                                   \
  extern result __interceptor_##name parameters __attribute__((weak));                   \
  static result(*next_##name(void)) parameters {                                         \
    static _Atomic(void *) found;                                                        \
    if (__interceptor_##name) return __interceptor_##name;                               \
    void *function = atomic_load_explicit(&found, memory_order_relaxed);                 \
    if (!function) atomic_store(&found, function = dlsym(RTLD_NEXT, #name));             \
    return (result(*) parameters)function;                                               \
  }

NEXT(ssize_t, send, (int, const void *, size_t, int))
NEXT(ssize_t, sendmsg, (int, const struct msghdr *, int))
NEXT(int, sendmmsg, (int, struct mmsghdr *, unsigned, int))
NEXT(int, recvmmsg, (int, struct mmsghdr *, unsigned, int, struct timespec *))
NEXT(int, getsockopt, (int, int, int, void *, socklen_t *))
NEXT(int, getsockname, (int, void *, socklen_t *))
NEXT(int, epoll_ctl, (int, int, int, struct epoll_event *))
NEXT(int, epoll_wait, (int, struct epoll_event *, int, int))
NEXT(int, close, (int))

static bool is_idle(void) { return atomic_load_explicit(&active, memory_order_relaxed) == 0; }

static slot *find(int fd) {
  for (int i = 0; i < SLOTS; i++) {
    if (slots[i].used && slots[i].fd == fd) return &slots[i];
  }
  return NULL;
}

// Locks, and finds; unlocks again where there is nothing.
static slot *enter(int fd) {
  if (is_idle()) return NULL;
  pthread_mutex_lock(&lock);
  slot *found = find(fd);
  if (!found) pthread_mutex_unlock(&lock);
  return found;
}

static void leave(void) { pthread_mutex_unlock(&lock); }

int cts_set_hooks(int fd, cts_hooks hooks) {
  int result = -ENOSPC;
  pthread_mutex_lock(&lock);
  if (find(fd)) {
    result = -EEXIST;
  } else {
    for (int i = 0; i < SLOTS && result != 0; i++) {
      if (slots[i].used) continue;
      slots[i] = (slot){.used = true, .fd = fd, .waiter = -1, .hooks = hooks};
      atomic_fetch_add(&active, 1);
      result = 0;
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

// Under the lock, which it gives up.
static void drop(slot *slot) {
  cts_hooks hooks = slot->hooks;
  slot->used = false;
  atomic_fetch_sub(&active, 1);
  leave();
  hooks.end(hooks.context);
}

void cts_remove_hooks(int fd, void *context) {
  slot *slot = enter(fd);
  if (!slot) return;
  if (slot->hooks.context == context) {
    drop(slot);
  } else {
    leave();
  }
}

// ---- Datagram sockets that pass for vsock streams ---------------------------------------------

enum { FAMILY_VSOCK = 40, ALIKES = 16, PACKET = 32 << 10 };

static struct {
  bool used;
  int fd;
  unsigned sends;
} alikes[ALIKES];

// Under the lock.
static int find_alike(int fd) {
  for (int i = 0; i < ALIKES; i++) {
    if (alikes[i].used && alikes[i].fd == fd) return i;
  }
  return -1;
}

// How many packets a send of so many bytes becomes: 0 where it is an ordinary descriptor.
static size_t packets(int fd, size_t length) {
  if (is_idle()) return 0;
  pthread_mutex_lock(&lock);
  int found = find_alike(fd);
  size_t count = 0;
  if (found >= 0) {
    count = 1 + alikes[found].sends++ % 3;
    if (count > length) count = length > 0 ? length : 1;
    size_t least = (length + PACKET - 1) / PACKET;
    if (count < least) count = least;
  }
  pthread_mutex_unlock(&lock);
  return count;
}

static bool is_alike(int fd) {
  if (is_idle()) return false;
  pthread_mutex_lock(&lock);
  bool found = find_alike(fd) >= 0;
  pthread_mutex_unlock(&lock);
  return found;
}

int cts_pass_for_vsock(int fd) {
  int result = -ENOSPC;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < ALIKES && result != 0; i++) {
    if (alikes[i].used) continue;
    alikes[i].used = true;
    alikes[i].fd = fd;
    alikes[i].sends = 0;
    atomic_fetch_add(&active, 1);
    result = 0;
  }
  pthread_mutex_unlock(&lock);
  return result;
}

// Under this name only for the linker: the header's prototype has a union in it.
int cts_getsockname(int fd, void *address, socklen_t *size) __asm__("getsockname");
int cts_getsockname(int fd, void *address, socklen_t *size) {
  int result = next_getsockname()(fd, address, size);
  if (result == 0 && is_alike(fd)) ((struct sockaddr *)address)->sa_family = FAMILY_VSOCK;
  return result;
}

// ---- The error queue --------------------------------------------------------------------------

static void interpret(cts_message *message) {
  struct msghdr header = {.msg_control = message->control, .msg_controllen = message->length};
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    bool is_error = (part->cmsg_level == SOL_IP && part->cmsg_type == IP_RECVERR) ||
                    (part->cmsg_level == SOL_IPV6 && part->cmsg_type == IPV6_RECVERR) ||
                    (part->cmsg_level == 287 /* SOL_VSOCK */ && part->cmsg_type == 1 /* VSOCK_RECVERR */);
    if (!is_error) continue;
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(part), sizeof error);
    message->is_extended = true;
    message->offset = (uint32_t)(CMSG_DATA(part) - message->control);
    message->error = error.ee_errno;
    message->origin = error.ee_origin;
    message->code = error.ee_code;
    message->first = error.ee_info;
    message->last = error.ee_data;
  }
}

void cts_make_message(int fd, cts_message *message) {
  int domain = AF_INET;
  socklen_t size = sizeof domain;
  next_getsockopt()(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  memset(message, 0, sizeof *message);
  struct cmsghdr *part = (struct cmsghdr *)message->control;
  part->cmsg_level = domain == AF_INET ? SOL_IP : domain == AF_INET6 ? SOL_IPV6 : 287;
  part->cmsg_type = domain == AF_INET ? IP_RECVERR : domain == AF_INET6 ? IPV6_RECVERR : 1;
  part->cmsg_len = CMSG_LEN(sizeof(struct sock_extended_err));
  message->length = CMSG_SPACE(sizeof(struct sock_extended_err));
  interpret(message);
  message->origin = CTS_ORIGIN_ZEROCOPY;
}

// Hands everything that the kernel has to the hooks.
// The error of the last read: EAGAIN where the queue is empty.
static int absorb(int fd) {
  while (true) {
    cts_message message;
    memset(&message, 0, sizeof message);
    struct msghdr header = {.msg_control = message.control, .msg_controllen = sizeof message.control};
    if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return errno;
    message.length = (uint32_t)header.msg_controllen;
    message.is_truncated = (header.msg_flags & MSG_CTRUNC) != 0;
    interpret(&message);
    slot *slot = enter(fd);
    if (!slot) return EAGAIN;
    slot->hooks.absorb(slot->hooks.context, &message);
    leave();
  }
}

static void write_message(struct mmsghdr *to, cts_message *message) {
  if (message->is_extended) {
    struct sock_extended_err error;
    memcpy(&error, message->control + message->offset, sizeof error);
    error.ee_errno = message->error;
    error.ee_origin = message->origin;
    error.ee_code = message->code;
    error.ee_info = message->first;
    error.ee_data = message->last;
    memcpy(message->control + message->offset, &error, sizeof error);
  }
  struct msghdr *header = &to->msg_hdr;
  bool is_cut = message->is_truncated || header->msg_controllen < message->length;
  header->msg_flags = MSG_ERRQUEUE | (is_cut ? MSG_CTRUNC : 0);
  header->msg_controllen = is_cut ? 0 : message->length;
  if (!is_cut) memcpy(header->msg_control, message->control, message->length);
  to->msg_len = 0;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
  slot *slot = flags & MSG_ERRQUEUE ? enter(fd) : NULL;
  if (!slot) return next_recvmmsg()(fd, messages, count, flags, timeout);
  leave();
  int error = absorb(fd);
  int written = 0;
  slot = enter(fd);
  if (slot) {
    cts_message message;
    while (written < (int)count && slot->hooks.next(slot->hooks.context, written, &message))
      write_message(&messages[written++], &message);
    leave();
  }
  if (written > 0) return written;
  errno = error;
  return -1;
}

// ---- Sending ----------------------------------------------------------------------------------

// So many bytes of a message from an offset on; the pieces that it needs go to `pieces`.
static struct msghdr part_of(const struct msghdr *message, size_t offset, size_t length, struct iovec *pieces) {
  struct msghdr part = *message;
  part.msg_iov = pieces;
  part.msg_iovlen = 0;
  for (size_t i = 0; i < message->msg_iovlen && length > 0; i++) {
    struct iovec piece = message->msg_iov[i];
    size_t skipped = piece.iov_len < offset ? piece.iov_len : offset;
    offset -= skipped;
    piece.iov_base = (char *)piece.iov_base + skipped;
    piece.iov_len -= skipped;
    if (piece.iov_len > length) piece.iov_len = length;
    length -= piece.iov_len;
    if (piece.iov_len > 0) pieces[part.msg_iovlen++] = piece;
  }
  return part;
}

static size_t length_of(const struct msghdr *message) {
  size_t length = 0;
  for (size_t i = 0; i < message->msg_iovlen; i++) length += message->msg_iov[i].iov_len;
  return length;
}

static ssize_t send_one(int fd, const struct msghdr *message, int flags) {
  slot *slot = enter(fd);
  if (!slot) return next_sendmsg()(fd, message, flags);
  bool zero_copy = (flags & ZERO_COPY) != 0;
  size_t length = length_of(message);
  cts_send plan = slot->hooks.send(slot->hooks.context, length, zero_copy);
  leave();
  if (plan.error != 0) {
    errno = plan.error;
    return -1;
  }
  struct iovec pieces[MOST_BUFFERS];
  struct msghdr shorter = *message;
  if (plan.limit < length && message->msg_iovlen <= MOST_BUFFERS)
    shorter = part_of(message, 0, plan.limit, pieces);
  ssize_t sent = next_sendmsg()(fd, &shorter, flags);
  int error = errno;
  if (sent < 0 && (slot = enter(fd))) {
    slot->hooks.refused(slot->hooks.context, error);
    leave();
  }
  if (sent >= 0 && (slot = enter(fd))) {
    slot->hooks.sent(slot->hooks.context, zero_copy);
    leave();
    if (plan.collect >= 0) {
      struct pollfd queue = {.fd = fd};
      if (plan.collect > 0) poll(&queue, 1, plan.collect);
      absorb(fd);
    }
  }
  errno = error;
  return sent;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  size_t length = length_of(message), count = packets(fd, length), sent = 0;
  if (count == 0) return send_one(fd, message, flags);
  struct iovec pieces[MOST_BUFFERS];
  for (size_t i = 0; i < count; i++) {
    size_t end = length * (i + 1) / count;
    struct msghdr part = part_of(message, sent, end - sent, pieces);
    ssize_t accepted = send_one(fd, &part, flags);
    if (accepted < 0) return sent > 0 ? (ssize_t)sent : -1;
    sent += (size_t)accepted;
  }
  return (ssize_t)sent;
}

ssize_t send(int fd, const void *memory, size_t length, int flags) {
  if (is_idle()) return next_send()(fd, memory, length, flags);
  struct iovec piece = {(void *)memory, length};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  return sendmsg(fd, &message, flags);
}

// One after the other, as the kernel does: the first that fails ends it.
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  if (!enter(fd)) return next_sendmmsg()(fd, messages, count, flags);
  leave();
  for (unsigned i = 0; i < count; i++) {
    ssize_t sent = sendmsg(fd, &messages[i].msg_hdr, flags);
    if (sent < 0) return i > 0 ? (int)i : -1;
    messages[i].msg_len = (unsigned)sent;
  }
  return (int)count;
}

// ---- What goes with them ----------------------------------------------------------------------

// What the hooks hold back is still on the queue, as far as the library can see: so it counts.
int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
  int result = next_getsockopt()(fd, level, name, value, size);
  if (result == 0 && level == SOL_SOCKET && name == SO_TYPE && is_alike(fd)) *(int *)value = SOCK_STREAM;
  if (result < 0 || level != SOL_SOCKET || name != SO_MEMINFO) return result;
  slot *slot = enter(fd);
  if (!slot) return result;
  uint32_t held = slot->hooks.memory(slot->hooks.context);
  leave();
  if (*size >= (SK_MEMINFO_OPTMEM + 1) * sizeof held) ((uint32_t *)value)[SK_MEMINFO_OPTMEM] += held;
  return result;
}

int epoll_ctl(int waiter, int operation, int fd, struct epoll_event *event) {
  slot *slot = operation == EPOLL_CTL_ADD ? enter(fd) : NULL;
  if (slot) {
    slot->waiter = waiter;
    leave();
  }
  return next_epoll_ctl()(waiter, operation, fd, event);
}

static cts_events added_events(int waiter) {
  cts_events events = {0};
  if (is_idle()) return events;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < SLOTS; i++) {
    if (!slots[i].used || slots[i].waiter != waiter) continue;
    events = slots[i].hooks.events(slots[i].hooks.context);
    break;
  }
  pthread_mutex_unlock(&lock);
  return events;
}

int epoll_wait(int waiter, struct epoll_event *events, int count, int milliseconds) {
  cts_events added = added_events(waiter);
  bool is_any = added.error || added.writable;
  if (is_any && (milliseconds < 0 || added.after < milliseconds)) milliseconds = added.after;
  int result = next_epoll_wait()(waiter, events, count, milliseconds);
  if (!is_any || result < 0 || (result > 0 && added.after > 0)) return result;
  if (result == 0) events[0] = (struct epoll_event){0};
  if (added.error) events[0].events |= EPOLLERR;
  if (added.writable) events[0].events |= EPOLLOUT;
  return result > 0 ? result : 1;
}

// A number that is closed is soon somebody else's.
int close(int fd) {
  if (!is_idle()) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < SLOTS; i++) {
      if (slots[i].waiter == fd) slots[i].waiter = -1;
    }
    int alike = find_alike(fd);
    if (alike >= 0) {
      alikes[alike].used = false;
      atomic_fetch_sub(&active, 1);
    }
    slot *slot = find(fd);
    if (slot) {
      drop(slot);
    } else {
      leave();
    }
  }
  return next_close()(fd);
}

#else

#include <errno.h>
#include <string.h>

int cts_set_hooks(int fd, cts_hooks hooks) { return (void)fd, (void)hooks, -ENOSYS; }
void cts_remove_hooks(int fd, void *context) { (void)fd, (void)context; }
void cts_make_message(int fd, cts_message *message) { (void)fd, memset(message, 0, sizeof *message); }
int cts_pass_for_vsock(int fd) { return (void)fd, -ENOSYS; }

#endif
