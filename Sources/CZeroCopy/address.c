// Turning names into socket addresses, and socket addresses into text.
#include "common.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#ifdef __linux__
#include <linux/vm_sockets.h>
#endif

int czc_resolve(const char *host, uint16_t port, int type, bool passive, czc_address *addresses,
                int capacity, int *resolver_code) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC};
  hints.ai_socktype = type == CZC_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
  // AI_ADDRCONFIG is left out: it hides 127.0.0.1 on a host whose only interface is loopback.
  hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  char service[8];
  snprintf(service, sizeof service, "%u", (unsigned)port);
  struct addrinfo *found = NULL;
  int code = getaddrinfo(host, service, &hints, &found);
  *resolver_code = code;
  if (code != 0) return code == EAI_SYSTEM ? -errno : -EHOSTUNREACH;
  int count = 0;
  for (struct addrinfo *entry = found; entry && count < capacity; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    czc_address *address = &addresses[count++];
    memset(address, 0, sizeof *address);
    address->family = entry->ai_family == AF_INET ? CZC_FAMILY_IPV4 : CZC_FAMILY_IPV6;
    address->type = type;
    address->length = entry->ai_addrlen;
    memcpy(address->bytes, entry->ai_addr, entry->ai_addrlen);
  }
  freeaddrinfo(found);
  return count;
}

const char *czc_resolver_message(int resolver_code) { return gai_strerror(resolver_code); }

int czc_unix_address(const char *path, czc_address *address) {
  struct sockaddr_un native;
  memset(&native, 0, sizeof native);
  memset(address, 0, sizeof *address);
  native.sun_family = AF_UNIX;
  size_t length = strlen(path);
  if (length == 0) return -EINVAL;
  if (length >= sizeof native.sun_path) return -ENAMETOOLONG;
  memcpy(native.sun_path, path, length);
  bool abstract = path[0] == '@';
  if (abstract) native.sun_path[0] = 0;
  address->family = CZC_FAMILY_UNIX;
  address->type = CZC_STREAM;
  // An abstract name is exactly as long as the address says; a path ends with its zero.
  address->length = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  memcpy(address->bytes, &native, sizeof native);
  return 0;
}

int czc_vsock_address(uint32_t cid, uint32_t port, czc_address *address) {
#ifdef __linux__
  struct sockaddr_vm native;
  memset(&native, 0, sizeof native);
  memset(address, 0, sizeof *address);
  native.svm_family = AF_VSOCK;
  native.svm_cid = cid;
  native.svm_port = port;
  address->family = CZC_FAMILY_VSOCK;
  address->type = CZC_STREAM;
  address->length = sizeof native;
  memcpy(address->bytes, &native, sizeof native);
  return 0;
#else
  (void)cid, (void)port, (void)address;
  return -EAFNOSUPPORT;
#endif
}

static int describe(const unsigned char *bytes, socklen_t length, char *text, size_t capacity) {
  const struct sockaddr *address = (const struct sockaddr *)bytes;
  char host[INET6_ADDRSTRLEN] = "";
  int count = -1;
  switch (address->sa_family) {
    case AF_INET: {
      const struct sockaddr_in *in = (const struct sockaddr_in *)bytes;
      inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
      count = snprintf(text, capacity, "%s:%u", host, (unsigned)ntohs(in->sin_port));
      break;
    }
    case AF_INET6: {
      const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)bytes;
      inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
      if (in6->sin6_scope_id)
        count = snprintf(text, capacity, "[%s%%%u]:%u", host, (unsigned)in6->sin6_scope_id,
                         (unsigned)ntohs(in6->sin6_port));
      else
        count = snprintf(text, capacity, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
      break;
    }
    case AF_UNIX: {
      const struct sockaddr_un *local = (const struct sockaddr_un *)bytes;
      size_t offset = offsetof(struct sockaddr_un, sun_path);
      size_t size = length > offset ? length - offset : 0;
      if (size > 0 && local->sun_path[0] == 0)
        count = snprintf(text, capacity, "unix:@%.*s", (int)(size - 1), local->sun_path + 1);
      else
        count = snprintf(text, capacity, "unix:%.*s", (int)strnlen(local->sun_path, size), local->sun_path);
      break;
    }
#ifdef __linux__
    case AF_VSOCK: {
      const struct sockaddr_vm *vm = (const struct sockaddr_vm *)bytes;
      count = snprintf(text, capacity, "vsock:%u:%u", vm->svm_cid, vm->svm_port);
      break;
    }
#endif
    default: return -EAFNOSUPPORT;
  }
  if (count < 0) return -EINVAL;
  return (size_t)count < capacity ? count : (int)capacity - 1;
}

int czc_local_address_text(int fd, char *text, size_t capacity) {
  _Alignas(8) unsigned char bytes[128] = {0};
  socklen_t length = sizeof bytes;
  if (getsockname(fd, (struct sockaddr *)bytes, &length) < 0) return -errno;
  return describe(bytes, length, text, capacity);
}

int czc_peer_address_text(int fd, char *text, size_t capacity) {
  _Alignas(8) unsigned char bytes[128] = {0};
  socklen_t length = sizeof bytes;
  if (getpeername(fd, (struct sockaddr *)bytes, &length) < 0) return -errno;
  return describe(bytes, length, text, capacity);
}
