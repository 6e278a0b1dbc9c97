// A map of BPF whose program is asked about everything that a TCP socket in it sends.
#ifndef CTS_SOCKMAP_H
#define CTS_SOCKMAP_H

#include <stdbool.h>

// Both descriptors close on exec.
typedef struct cts_sockmap {
  int map;
  int program;
} cts_sockmap;

// Where a socket stands in the map: what the sender sends is let through, or redirected to the receiver.
enum { CTS_SOCKMAP_SENDER = 0, CTS_SOCKMAP_RECEIVER = 1 };

// Makes a map without sockets. -errno: EPERM for who may not use bpf(2), EINVAL on a kernel without such maps.
int cts_make_sockmap(bool redirects, cts_sockmap *made);

// Puts a connected TCP socket there, and takes it out again.
int cts_put_into_sockmap(int map, int place, int fd);
int cts_take_out_of_sockmap(int map, int place);

#endif
