// Opening, connecting, accepting, configuring and ending sockets.
#include "common.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static int set_int(int fd, int level, int name, int value) {
  return czc_result(setsockopt(fd, level, name, &value, sizeof value));
}

static int get_int(int fd, int level, int name, int *value) {
  socklen_t size = sizeof *value;
  *value = 0;
  return czc_result(getsockopt(fd, level, name, value, &size));
}

static int native_family(int family) {
  switch (family) {
    case CZC_FAMILY_IPV4: return AF_INET;
    case CZC_FAMILY_IPV6: return AF_INET6;
    case CZC_FAMILY_UNIX: return AF_UNIX;
#ifdef __linux__
    case CZC_FAMILY_VSOCK: return AF_VSOCK;
#endif
    default: return -1;
  }
}

static int open_socket(int family, int type) {
  int native = native_family(family);
  if (native < 0) return -EAFNOSUPPORT;
  int kind = type == CZC_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  return czc_result(socket(native, kind | SOCK_CLOEXEC, 0));
#else
  int fd = socket(native, kind, 0);
  if (fd < 0) return -errno;
  czc_prepare(fd);
  return fd;
#endif
}

int czc_open(const czc_address *address) { return open_socket(address->family, address->type); }

// poll(2) for one event until `deadline`. For descriptors that have made no zero-copy send: their
// POLLERR does mean a failure, so that poll cannot spin.
static int wait_until(int fd, short events, uint64_t deadline) {
  for (;;) {
    uint64_t now = czc_now();
    uint64_t left = deadline > now ? deadline - now : 0;
    uint64_t milliseconds = left / 1000000u + (left % 1000000u != 0);
    struct pollfd wanted = {.fd = fd, .events = events};
    int count = poll(&wanted, 1, milliseconds > 3600000u ? 3600000 : (int)milliseconds);
    if (count > 0) return 0;
    if (count < 0 && errno != EINTR) return -errno;
    if (count == 0 && czc_now() >= deadline) return -ETIMEDOUT;
  }
}

static uint64_t deadline_after(uint64_t nanoseconds) {
  uint64_t now = czc_now();
  return nanoseconds > UINT64_MAX - now ? UINT64_MAX : now + nanoseconds;
}

int czc_connect(int fd, const czc_address *address, uint64_t nanoseconds) {
  uint64_t deadline = deadline_after(nanoseconds);
  int was_nonblocking = czc_is_nonblocking(fd);
  if (was_nonblocking < 0) return was_nonblocking;
  int result = czc_set_nonblocking(fd, true);
  if (result < 0) return result;
  for (;;) {
    result = czc_result(connect(fd, (const struct sockaddr *)address->bytes, address->length));
    if (result == -EAGAIN && address->family == CZC_FAMILY_UNIX) {
      // A UNIX listener whose backlog is full says so, and nothing tells when there is room again.
      if (czc_now() >= deadline) { result = -ETIMEDOUT; break; }
      poll(NULL, 0, 1);
      continue;
    }
    if (result != -EINTR) break;
  }
  if (result == -EINPROGRESS || result == -EALREADY) {
    result = wait_until(fd, POLLOUT, deadline);
    if (result == 0) result = -czc_take_error(fd);
  } else if (result == -EISCONN) {
    result = 0;  // an interrupted call had gone through
  }
  if (!was_nonblocking) {
    int restored = czc_set_nonblocking(fd, false);
    if (result == 0) result = restored;
  }
  return result;
}

int czc_listen(int fd, const czc_address *address, int backlog) {
  int result = 0;
  if (address->family == CZC_FAMILY_IPV4 || address->family == CZC_FAMILY_IPV6)
    result = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (result < 0) return result;
  if (bind(fd, (const struct sockaddr *)address->bytes, address->length) < 0) return -errno;
  if (listen(fd, backlog) < 0) return -errno;
  return czc_set_nonblocking(fd, true);
}

int czc_identify(const char *path, czc_file_identity *identity) {
  struct stat facts;
  if (lstat(path, &facts) < 0) return -errno;
  identity->device = (uint64_t)facts.st_dev;
  identity->inode = (uint64_t)facts.st_ino;
  return 0;
}

int czc_remove_file(const char *path, czc_file_identity identity) {
  czc_file_identity now;
  int result = czc_identify(path, &now);
  if (result < 0) return result;
  if (now.device != identity.device || now.inode != identity.inode) return -ESTALE;
  return czc_result(unlink(path));
}

int czc_accept(int fd, uint64_t nanoseconds) {
  uint64_t deadline = deadline_after(nanoseconds);
  for (;;) {
#ifdef __linux__
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
#else
    int accepted = accept(fd, NULL, NULL);
    if (accepted >= 0) {
      czc_prepare(accepted);
      czc_set_nonblocking(accepted, false);
    }
#endif
    if (accepted >= 0) return accepted;
    switch (errno) {
      case EAGAIN: break;
      // The connection went away, or its network failed, before we took it; the next may be there.
      case EINTR: case ECONNABORTED: case ENETDOWN: case EPROTO: case EHOSTDOWN: case EHOSTUNREACH:
      case ENETUNREACH: continue;
      default: return -errno;
    }
    int result = wait_until(fd, POLLIN, deadline);
    if (result < 0) return result;
  }
}

int czc_enable_zerocopy(int fd) {
#ifdef __linux__
  return set_int(fd, SOL_SOCKET, SO_ZEROCOPY, 1);
#else
  (void)fd;
  return -ENOSYS;
#endif
}

int czc_zerocopy_enabled(int fd) {
#ifdef __linux__
  int value;
  int result = get_int(fd, SOL_SOCKET, SO_ZEROCOPY, &value);
  return result < 0 ? result : value != 0;
#else
  (void)fd;
  return -ENOSYS;
#endif
}

int czc_is_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -errno : (flags & O_NONBLOCK) != 0;
}

int czc_set_nonblocking(int fd, bool nonblocking) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  int wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return wanted == flags ? 0 : czc_result(fcntl(fd, F_SETFL, wanted));
}

int czc_prepare(int fd) {
#ifdef SO_NOSIGPIPE
  set_int(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
  return czc_result(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

static int set_timeout(int fd, int name, uint64_t nanoseconds) {
  uint64_t microseconds = nanoseconds / 1000u + (nanoseconds % 1000u != 0);
  // Thirty years are as good as for ever, and a time_t of 32 bits holds them.
  if (microseconds > 946080000000000u) microseconds = 0;
  struct timeval time = {.tv_sec = (time_t)(microseconds / 1000000u),
                         .tv_usec = (suseconds_t)(microseconds % 1000000u)};
  return czc_result(setsockopt(fd, SOL_SOCKET, name, &time, sizeof time));
}

int czc_set_send_timeout(int fd, uint64_t nanoseconds) { return set_timeout(fd, SO_SNDTIMEO, nanoseconds); }
int czc_set_receive_timeout(int fd, uint64_t nanoseconds) { return set_timeout(fd, SO_RCVTIMEO, nanoseconds); }
int czc_set_user_timeout(int fd, uint64_t nanoseconds) {
#ifdef TCP_USER_TIMEOUT
  uint64_t milliseconds = nanoseconds / 1000000u + (nanoseconds % 1000000u != 0);
  return set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds > INT_MAX ? INT_MAX : (int)milliseconds);
#else
  return (void)fd, (void)nanoseconds, -ENOSYS;
#endif
}

int czc_set_no_delay(int fd, bool on) { return set_int(fd, IPPROTO_TCP, TCP_NODELAY, on); }
int czc_set_keep_alive(int fd, bool on) { return set_int(fd, SOL_SOCKET, SO_KEEPALIVE, on); }
int czc_set_send_buffer(int fd, int bytes) { return set_int(fd, SOL_SOCKET, SO_SNDBUF, bytes); }

int czc_take_error(int fd) {
  int error;
  int result = get_int(fd, SOL_SOCKET, SO_ERROR, &error);
  return result < 0 ? -result : error;
}

static int tcp_state(int fd) {
#ifdef TCP_INFO
  struct tcp_info info;
  socklen_t size = sizeof info;
  memset(&info, 0, sizeof info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return -errno;
  return info.tcpi_state;
#else
  (void)fd;
  return -ENOSYS;
#endif
}

#ifndef TCP_INFO
enum { TCP_FIN_WAIT1 = 4, TCP_FIN_WAIT2, TCP_TIME_WAIT, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_CLOSING = 11 };
#endif

int czc_tcp_is_closed(int fd) {
  int state = tcp_state(fd);
  return state < 0 ? state : state == TCP_CLOSE;
}

int czc_tcp_peer_has_ended(int fd) {
  int state = tcp_state(fd);
  if (state < 0) return state;
  return state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK || state == TCP_CLOSING || state == TCP_TIME_WAIT ||
         state == TCP_CLOSE;
}

int64_t czc_unacknowledged(int fd) {
#ifdef __linux__
  int bytes = 0;
  // TIOCOUTQ is the number of SIOCOUTQ.
  if (ioctl(fd, TIOCOUTQ, &bytes) < 0) return -errno;
  return bytes;
#else
  (void)fd;
  return -ENOSYS;
#endif
}

int czc_tcp_we_have_ended(int fd) {
  int state = tcp_state(fd);
  if (state < 0) return state;
  return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK ||
         state == TCP_TIME_WAIT || state == TCP_CLOSE;
}

int czc_path_mtu(int fd, int family) {
#if defined(IP_MTU) && defined(IPV6_MTU)
  int mtu;
  int result = family == CZC_FAMILY_IPV6 ? get_int(fd, IPPROTO_IPV6, IPV6_MTU, &mtu)
                                         : get_int(fd, IPPROTO_IP, IP_MTU, &mtu);
  return result < 0 ? result : mtu;
#else
  (void)fd, (void)family;
  return -ENOSYS;
#endif
}

int czc_inspect(int fd, czc_socket_facts *facts) {
  memset(facts, 0, sizeof *facts);
  int type, listening;
  int result = get_int(fd, SOL_SOCKET, SO_TYPE, &type);
  if (result < 0) return result;
  facts->type = type == SOCK_STREAM ? CZC_STREAM : type == SOCK_DGRAM ? CZC_DATAGRAM : 0;
  result = get_int(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening);
  if (result < 0) return result;
  facts->listening = listening != 0;
  _Alignas(8) unsigned char address[128];
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)address, &length) < 0) return -errno;
  switch (((const struct sockaddr *)address)->sa_family) {
    case AF_INET: facts->family = CZC_FAMILY_IPV4; break;
    case AF_INET6: facts->family = CZC_FAMILY_IPV6; break;
    case AF_UNIX: facts->family = CZC_FAMILY_UNIX; break;
#ifdef __linux__
    case AF_VSOCK: facts->family = CZC_FAMILY_VSOCK; break;
#endif
    default: facts->family = CZC_FAMILY_OTHER;
  }
  length = sizeof address;
  facts->connected = getpeername(fd, (struct sockaddr *)address, &length) == 0;
  facts->is_mapped = facts->connected && facts->family == CZC_FAMILY_IPV6 &&
                     IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr);
  bool internet = facts->family == CZC_FAMILY_IPV4 || facts->family == CZC_FAMILY_IPV6;
#ifdef __linux__
  int protocol;
  if (get_int(fd, SOL_SOCKET, SO_PROTOCOL, &protocol) == 0) {
    facts->is_tcp = internet && protocol == IPPROTO_TCP;
    facts->is_mptcp = internet && protocol == 262;  // IPPROTO_MPTCP, newer than some headers
  }
#ifdef TCP_ULP
  if (facts->is_tcp) {
    char name[16] = {0};
    length = sizeof name;
    facts->upper_layer = getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &length) == 0 && length > 0 && name[0] != 0;
  }
#endif
#else
  facts->is_tcp = internet && facts->type == CZC_STREAM;
#endif
  return 0;
}

int czc_shutdown(int fd, int how) {
  static const int native[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
  if (how < CZC_SHUT_READ || how > CZC_SHUT_BOTH) return -EINVAL;
  return czc_result(shutdown(fd, native[how]));
}

int czc_abort(int fd) {
  struct sockaddr address = {.sa_family = AF_UNSPEC};
  int result;
  do {
    result = czc_result(connect(fd, &address, sizeof address));
  } while (result == -EINTR);
  return result;
}

int czc_duplicate(int fd) { return czc_result(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

// Not repeated after EINTR: Linux has closed the descriptor by then.
int czc_close(int fd) { return czc_result(close(fd)); }

int czc_probe_zerocopy(int family, int type) {
  int fd = open_socket(family, type);
  if (fd < 0) return fd;
  int result = czc_enable_zerocopy(fd);
  close(fd);
  return result;
}
