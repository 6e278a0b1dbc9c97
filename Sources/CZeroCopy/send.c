// Sending and receiving bytes.
#include "common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

_Static_assert(sizeof(czc_buffer) == sizeof(struct iovec), "czc_buffer is an iovec");
_Static_assert(offsetof(czc_buffer, base) == offsetof(struct iovec, iov_base), "czc_buffer is an iovec");
_Static_assert(offsetof(czc_buffer, length) == offsetof(struct iovec, iov_len), "czc_buffer is an iovec");

int64_t czc_send(int fd, const czc_buffer *buffers, int count, int flags) {
#ifndef __linux__
  if (flags & CZC_SEND_ZEROCOPY) return -ENOSYS;
#endif
  int native = czc_native_flags(flags);
  // The same for one piece, and cheaper: the kernel has no message to copy in.
  if (count == 1) {
    ssize_t sent = send(fd, buffers->base, buffers->length, native);
    return sent < 0 ? -errno : sent;
  }
  struct msghdr message = {0};
  message.msg_iov = (struct iovec *)buffers;
  message.msg_iovlen = count;
  ssize_t sent = sendmsg(fd, &message, native);
  return sent < 0 ? -errno : sent;
}

int czc_uncork(int fd) {
#ifdef TCP_CORK
  int corked = 0;
  socklen_t size = sizeof corked;
  if (getsockopt(fd, IPPROTO_TCP, TCP_CORK, &corked, &size) < 0) return -errno;
  if (corked) return 0;
  // Nothing to switch off; but the kernel looks then whether something is held back.
  return czc_result(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &corked, sizeof corked));
#else
  return (void)fd, -ENOSYS;
#endif
}

int64_t czc_receive(int fd, void *memory, size_t capacity, bool is_datagram) {
  // Of a datagram the kernel then says how long it was, also where it was cut. Of a stream it would throw bytes away.
  ssize_t received = recv(fd, memory, capacity, is_datagram ? MSG_TRUNC : 0);
  return received < 0 ? -errno : received;
}
