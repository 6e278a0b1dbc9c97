// The floor that the library is compared with: a plain, careful loop around sendmsg(2).
//
//   PlainSender PORT zerocopy|copy COUNT SIZE [single|vectored [SPAN]]
//
// Sends COUNT times SIZE bytes to 127.0.0.1:PORT, out of a span of SPAN bytes (SIZE unless told) that
// is gone through in turn; `vectored` makes each send of two pieces. With zero copy it reads the error
// queue once each 64 sends, waits at the end until every id is in, and only then closes: after that no
// notification would come, and the kernel would go on reading the memory.
#define _GNU_SOURCE
#include "../Plain/plain.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEADER_SIZE = 64 };

static int open_connection(long port, bool zerocopy) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  int on = 1;
  struct timeval patience = {.tv_sec = 60};
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) fail("TCP_NODELAY");
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0) fail("SO_SNDTIMEO");
  if (zerocopy && setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0) fail("SO_ZEROCOPY");
  return fd;
}

int main(int argc, char **argv) {
  if (argc < 5 || argc > 7) {
    fprintf(stderr, "usage: PlainSender PORT zerocopy|copy COUNT SIZE [single|vectored [SPAN]]\n");
    return 2;
  }
  long port = number(argv[1], 1);
  bool zerocopy = strcmp(argv[2], "zerocopy") == 0;
  long count = number(argv[3], 0);
  size_t size = (size_t)number(argv[4], HEADER_SIZE + 1);
  bool vectored = argc > 5 && strcmp(argv[5], "vectored") == 0;
  size_t span = argc > 6 ? (size_t)number(argv[6], (long)size) : size;

  // Written to before it is sent: memory that never was is the shared zero page.
  void *memory;
  if ((errno = posix_memalign(&memory, 4096, span)) != 0) fail("posix_memalign");
  memset(memory, 0x5a, span);

  int fd = open_connection(port, zerocopy);
  int flags = MSG_NOSIGNAL | (zerocopy ? MSG_ZEROCOPY : 0);
  uint64_t issued = 0, completed = 0;
  int since_reap = 0;
  size_t at = 0;

  for (long i = 0; i < count; i++) {
    if (at + size > span) at = 0;
    struct iovec pieces[2] = {{(char *)memory + at, size}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 1};
    if (vectored) {
      pieces[0].iov_len = HEADER_SIZE;
      pieces[1] = (struct iovec){(char *)memory + at + HEADER_SIZE, size - HEADER_SIZE};
      message.msg_iovlen = 2;
    }
    at += size;
    size_t left = size;
    while (left > 0) {
      ssize_t sent = sendmsg(fd, &message, flags);
      if (sent < 0) {
        if (errno == EINTR) continue;
        // A limit on what is in flight: it is over when some of that has come back.
        if (errno == ENOBUFS && issued > completed) {
          await(fd);
          completed += reap(fd);
          continue;
        }
        fail("sendmsg");
      }
      // A partial send takes an id of its own.
      if (zerocopy) {
        issued++;
        if (++since_reap == SENDS_A_REAP) {
          since_reap = 0;
          completed += reap(fd);
        }
      }
      left -= (size_t)sent;
      while (left > 0 && sent > 0) {
        size_t here = message.msg_iov->iov_len;
        size_t step = (size_t)sent < here ? (size_t)sent : here;
        message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + step;
        message.msg_iov->iov_len -= step;
        sent -= (ssize_t)step;
        if (message.msg_iov->iov_len == 0) {
          message.msg_iov++;
          message.msg_iovlen--;
        }
      }
    }
  }
  while (completed < issued) {
    uint64_t ids = reap(fd);
    completed += ids;
    if (ids == 0) await(fd);
  }
  if (completed > issued) {
    fprintf(stderr, "PlainSender: more ids came back than were issued\n");
    return 1;
  }
  if (shutdown(fd, SHUT_WR) < 0) fail("shutdown");
  close(fd);
  free(memory);
  return 0;
}
