// A datagram socket that hears from several peers.
#define _GNU_SOURCE 1
#include "CLanes.h"

#include <errno.h>

#ifdef __linux__

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

int cln_bind_datagrams(int fd, const void *address, unsigned length) {
  // What comes while nobody looks. The system's own limit holds for who is not root.
  int size = 32 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  return bind(fd, address, length) < 0 ? -errno : 0;
}

int64_t cln_receive_from(int fd, void *memory, size_t capacity, int milliseconds, cln_peer *peer) {
  memset(peer, 0, sizeof *peer);
  peer->length = sizeof peer->bytes;
  struct iovec piece = {memory, capacity};
  struct msghdr message = {
      .msg_name = peer->bytes, .msg_namelen = peer->length, .msg_iov = &piece, .msg_iovlen = 1};
  // MSG_TRUNC: how long it was, however little of it is wanted.
  ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
  if (count < 0 && errno == EAGAIN) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int events = poll(&ready, 1, milliseconds);
    if (events < 0) return -errno;
    if (events == 0) return -ETIMEDOUT;
    message.msg_namelen = sizeof peer->bytes;
    count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
  }
  if (count < 0) return -errno;
  peer->length = message.msg_namelen;
  // FNV-1a, to find a peer by.
  peer->key = 0xcbf29ce484222325u;
  for (unsigned at = 0; at < peer->length; at++) peer->key = (peer->key ^ peer->bytes[at]) * 0x100000001b3u;
  return count;
}

int64_t cln_send_to(int fd, const void *memory, size_t length, const cln_peer *peer) {
  ssize_t count = sendto(fd, memory, length, MSG_NOSIGNAL | MSG_DONTWAIT, (const void *)peer->bytes, peer->length);
  return count < 0 ? -errno : count;
}

#else

int cln_bind_datagrams(int fd, const void *address, unsigned length) {
  return (void)fd, (void)address, (void)length, -ENOSYS;
}
int64_t cln_receive_from(int fd, void *memory, size_t capacity, int milliseconds, cln_peer *peer) {
  return (void)fd, (void)memory, (void)capacity, (void)milliseconds, (void)peer, -ENOSYS;
}
int64_t cln_send_to(int fd, const void *memory, size_t length, const cln_peer *peer) {
  return (void)fd, (void)memory, (void)length, (void)peer, -ENOSYS;
}

#endif
