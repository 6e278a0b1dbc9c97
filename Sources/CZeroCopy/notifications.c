// Reading zero-copy notifications from a socket's error queue.
#include "common.h"

#ifdef __linux__

#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <unistd.h>

// Large enough for a notification beside two time stamps and the addresses of an offender: with 48
// bytes a socket that has time stamps on loses ids for good (rule 12).
enum { CONTROL_SIZE = 512 };

static bool is_extended_error(int level, int type) {
  return (level == SOL_IP && type == IP_RECVERR) || (level == SOL_IPV6 && type == IPV6_RECVERR) ||
         (level == SOL_VSOCK && type == 1 /* VSOCK_RECVERR */);
}

// Walks by offsets and copies each header out: CMSG_NXTHDR trusts its input to be whole and aligned.
int czc_parse_control(const void *control, size_t length, czc_notification *notification) {
  const unsigned char *bytes = control;
  const size_t payload = CMSG_LEN(0);
  size_t at = 0;
  while (length - at >= payload) {
    struct cmsghdr header;
    memcpy(&header, bytes + at, sizeof header);
    size_t size = header.cmsg_len;
    if (size < payload || size > length - at) return 0;
    struct sock_extended_err error;
    if (is_extended_error(header.cmsg_level, header.cmsg_type) && size >= payload + sizeof error) {
      memcpy(&error, bytes + at + payload, sizeof error);
      if (error.ee_origin == SO_EE_ORIGIN_ZEROCOPY && error.ee_errno == 0) {
        notification->first = error.ee_info;
        notification->last = error.ee_data;
        notification->copied = (error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0;
        return 1;
      }
    }
    size_t step = CMSG_ALIGN(size);
    if (step > length - at) return 0;
    at += step;
  }
  return 0;
}

int czc_read_notifications(int fd, czc_notification *notifications, int capacity, czc_reaped *reaped) {
  memset(reaped, 0, sizeof *reaped);
  if (capacity > CZC_MAX_NOTIFICATIONS) capacity = CZC_MAX_NOTIFICATIONS;
  if (capacity <= 0) return 0;
  // Not cleared as a whole: 8 KiB of zeros a call would cost more than the call's own user-space work.
  _Alignas(struct cmsghdr) unsigned char control[CZC_MAX_NOTIFICATIONS][CONTROL_SIZE];
  struct mmsghdr messages[CZC_MAX_NOTIFICATIONS];
  for (int i = 0; i < capacity; i++) {
    messages[i] = (struct mmsghdr){0};
    messages[i].msg_hdr.msg_control = control[i];
    messages[i].msg_hdr.msg_controllen = CONTROL_SIZE;
  }
  int count;
  do {
    count = recvmmsg(fd, messages, (unsigned)capacity, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return errno == EAGAIN ? 0 : -errno;
  for (int i = 0; i < count; i++) {
    const struct msghdr *message = &messages[i].msg_hdr;
    reaped->messages++;
    if (czc_parse_control(control[i], message->msg_controllen, &notifications[reaped->notifications])) {
      reaped->notifications++;
    } else if (message->msg_flags & MSG_CTRUNC) {
      reaped->truncated++;
    } else {
      reaped->foreign++;
    }
  }
  return 0;
}

int64_t czc_option_memory(int fd) {
  uint32_t memory[SK_MEMINFO_VARS] = {0};
  socklen_t size = sizeof memory;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0) return -errno;
  if (size < (SK_MEMINFO_OPTMEM + 1) * sizeof memory[0]) return -ENOSYS;
  return memory[SK_MEMINFO_OPTMEM];
}

// Towards an address that is only connected to: MSG_MORE keeps the datagram in the socket, and close() drops it.
static int64_t block_size_towards(const struct sockaddr *address, socklen_t length) {
  int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  int64_t result = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0 || connect(fd, address, length) < 0) {
    result = -errno;
  } else {
    // Static, because its page may be read until the close below has dropped the datagram.
    static const char byte = 0;
    int64_t before = czc_option_memory(fd);
    if (before < 0) {
      result = before;
    } else if (send(fd, &byte, 1, MSG_ZEROCOPY | MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      result = -errno;
    } else {
      int64_t after = czc_option_memory(fd);
      result = after < 0 ? after : after - before;
    }
  }
  close(fd);
  return result;
}

int64_t czc_notification_block_size(void) {
  // Port 9 of our own loopback.
  struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_port = htons(9)};
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return block_size_towards((struct sockaddr *)&loopback, sizeof loopback);
}

int64_t czc_notification_block_size_towards_peer(int fd) {
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0) return -errno;
  if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) return -EAFNOSUPPORT;
  return block_size_towards((struct sockaddr *)&peer, length);
}

#else  // no MSG_ZEROCOPY here

int czc_parse_control(const void *control, size_t length, czc_notification *notification) {
  (void)control, (void)length, (void)notification;
  return 0;
}

int czc_read_notifications(int fd, czc_notification *notifications, int capacity, czc_reaped *reaped) {
  (void)fd, (void)notifications, (void)capacity;
  memset(reaped, 0, sizeof *reaped);
  return -ENOSYS;
}

int64_t czc_option_memory(int fd) {
  (void)fd;
  return -ENOSYS;
}

int64_t czc_notification_block_size(void) { return -ENOSYS; }

int64_t czc_notification_block_size_towards_peer(int fd) {
  (void)fd;
  return -ENOSYS;
}

#endif
