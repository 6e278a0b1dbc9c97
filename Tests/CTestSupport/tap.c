// What arrives at a network's card.
#define _GNU_SOURCE 1
#include "CTestSupport.h"

#include <errno.h>

#ifdef __linux__

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// The first interface that is not the loopback; 0 where there is none.
static unsigned card(void) {
  unsigned index = 0;
  struct if_nameindex *interfaces = if_nameindex();
  if (!interfaces) return 0;
  for (struct if_nameindex *one = interfaces; one->if_index && !index; one++) {
    if (strcmp(one->if_name, "lo") != 0) index = one->if_index;
  }
  if_freenameindex(interfaces);
  return index;
}

int cts_open_tap(int buffer, int patience) {
  int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  struct timeval timeout = {.tv_sec = patience / 1000, .tv_usec = patience % 1000 * 1000};
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)card()};
  // At that card alone: a tap of all devices would make the sender's kernel copy (rule 21).
  int result = address.sll_ifindex == 0 ? -ENODEV : 0;
  if (result == 0 && (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
                      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0 ||
                      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0 ||
                      bind(fd, (struct sockaddr *)&address, sizeof address) < 0)) {
    result = -errno;
  }
  if (result == 0) return fd;
  close(fd);
  return result;
}

int cts_tap_missed(int fd) {
  struct tpacket_stats counts;
  socklen_t size = sizeof counts;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counts, &size) < 0) return -errno;
  return (int)counts.tp_drops;
}

#else

int cts_open_tap(int buffer, int patience) { return (void)buffer, (void)patience, -ENOSYS; }
int cts_tap_missed(int fd) { return (void)fd, -ENOSYS; }

#endif
