// Datagrams: several in one send (UDP generic segmentation), and several sends in one call.
#include "common.h"

#include <netinet/in.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __linux__

enum { LEVEL_UDP = 17, SEGMENT = 103 };  // SOL_UDP, UDP_SEGMENT: older headers lack them

int czc_segment_size(int fd) {
  int size = 0;
  socklen_t length = sizeof size;
  if (getsockopt(fd, LEVEL_UDP, SEGMENT, &size, &length) < 0) return -errno;
  return size;
}

int czc_set_segment_size(int fd, int size) {
  return czc_result(setsockopt(fd, LEVEL_UDP, SEGMENT, &size, sizeof size));
}

// Room for the one control message of a send.
typedef union segment_control {
  unsigned char bytes[CMSG_SPACE(sizeof(uint16_t))];
  struct cmsghdr alignment;
} segment_control;

static void set_segment_size(struct msghdr *message, segment_control *control, uint16_t size) {
  memset(control, 0, sizeof *control);
  message->msg_control = control;
  message->msg_controllen = sizeof control->bytes;
  struct cmsghdr *part = CMSG_FIRSTHDR(message);
  part->cmsg_level = LEVEL_UDP;
  part->cmsg_type = SEGMENT;
  part->cmsg_len = CMSG_LEN(sizeof size);
  memcpy(CMSG_DATA(part), &size, sizeof size);
}

int64_t czc_send_segments(int fd, const czc_buffer *buffers, int count, int flags, uint16_t segment_size) {
  segment_control control;
  struct msghdr message = {0};
  message.msg_iov = (struct iovec *)buffers;
  message.msg_iovlen = count;
  set_segment_size(&message, &control, segment_size);
  ssize_t sent = sendmsg(fd, &message, czc_native_flags(flags));
  return sent < 0 ? -errno : sent;
}

int czc_send_datagrams(int fd, const czc_buffer *datagrams, int count, int flags, uint16_t segment_size) {
  if (count > CZC_MAX_DATAGRAMS) count = CZC_MAX_DATAGRAMS;
  struct mmsghdr messages[CZC_MAX_DATAGRAMS];
  segment_control control;
  for (int i = 0; i < count; i++) {
    memset(&messages[i], 0, sizeof messages[i]);
    messages[i].msg_hdr.msg_iov = (struct iovec *)&datagrams[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    // The kernel only reads it: one is enough for all.
    if (segment_size > 0) set_segment_size(&messages[i].msg_hdr, &control, segment_size);
  }
  return czc_result(sendmmsg(fd, messages, (unsigned)count, czc_native_flags(flags)));
}

int czc_most_segments(void) {
  enum { SIZE = 32, MOST = 2000 };
  static const char bytes[SIZE * MOST];
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  // Connected to itself: what is sent waits in its own queue, and close() drops it.
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int result = 0;
  if (bind(fd, (struct sockaddr *)&address, length) < 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
      connect(fd, (struct sockaddr *)&address, length) < 0 || czc_set_segment_size(fd, SIZE) < 0) {
    result = -errno;
  } else {
    int accepted = 0, refused = MOST + 1;
    while (accepted + 1 < refused) {
      int middle = accepted + (refused - accepted) / 2;
      ssize_t sent = send(fd, bytes, (size_t)middle * SIZE, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent >= 0) {
        accepted = middle;
      } else if (errno == EINVAL || errno == EMSGSIZE) {
        refused = middle;
      } else {
        accepted = -errno;
        break;
      }
    }
    result = accepted;
  }
  close(fd);
  return result;
}

int czc_sends_checksums(int fd, int family) {
  int off = 0;
  socklen_t length = sizeof off;
  int name = family == CZC_FAMILY_IPV6 ? 101 : 11;  // UDP_NO_CHECK6_TX, SO_NO_CHECK
  if (getsockopt(fd, family == CZC_FAMILY_IPV6 ? LEVEL_UDP : SOL_SOCKET, name, &off, &length) < 0) return -errno;
  return off == 0;
}

#else  // no segmentation here

int czc_segment_size(int fd) { return (void)fd, -ENOSYS; }
int czc_set_segment_size(int fd, int size) { return (void)fd, (void)size, -ENOSYS; }

int64_t czc_send_segments(int fd, const czc_buffer *buffers, int count, int flags, uint16_t segment_size) {
  return (void)fd, (void)buffers, (void)count, (void)flags, (void)segment_size, -ENOSYS;
}

int czc_send_datagrams(int fd, const czc_buffer *datagrams, int count, int flags, uint16_t segment_size) {
  if (segment_size > 0) return -ENOSYS;
  for (int i = 0; i < count; i++) {
    int64_t sent = czc_send(fd, &datagrams[i], 1, flags);
    if (sent < 0) return i > 0 ? i : (int)sent;
  }
  return count;
}

int czc_most_segments(void) { return -ENOSYS; }
int czc_sends_checksums(int fd, int family) { return (void)fd, (void)family, -ENOSYS; }

#endif
