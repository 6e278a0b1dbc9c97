// A seam between the library and the kernel: what a descriptor's system calls answer can be changed.
//
// The test bundle defines sendmsg, recvmmsg and a few more itself, and the linker prefers them to libc's:
// the library under test is unchanged, and nothing is preloaded. A descriptor without hooks pays for one
// look at a counter.
#ifndef CTS_FAULTS_H
#define CTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One message of an error queue: what struct sock_extended_err says, and the control buffer around it.
typedef struct cts_message {
  bool is_extended;   // whether there is a sock_extended_err; else only the control buffer counts
  bool is_truncated;  // arrives as MSG_CTRUNC, with nothing in the control buffer
  uint8_t origin;     // ee_origin
  uint8_t code;       // ee_code
  uint32_t error;     // ee_errno
  uint32_t first;     // ee_info
  uint32_t last;      // ee_data
  uint32_t offset;    // of the sock_extended_err
  uint32_t length;    // of the control buffer
  _Alignas(8) unsigned char control[512];
} cts_message;

enum { CTS_ORIGIN_ICMP = 2, CTS_ORIGIN_TIMESTAMPING = 4, CTS_ORIGIN_ZEROCOPY = 5 };

// What becomes of one sendmsg.
typedef struct cts_send {
  int error;     // not 0: the call fails with it, and the kernel sees nothing of it
  size_t limit;  // at most so many bytes are offered to the kernel
  int collect;   // 0 or more: hand over what is on the error queue after the call, before the kernel merges
                 // it with what follows, and wait for it at most so many milliseconds
} cts_send;

// Events of an epoll descriptor.
typedef struct cts_events {
  bool error;
  bool writable;
  int after;  // only when the kernel has had none for so many milliseconds
} cts_events;

// Called under one lock for all descriptors: they make no system call of a socket, and do not wait.
typedef struct cts_hooks {
  void *context;
  // Before a sendmsg of so many bytes.
  cts_send (*send)(void *context, size_t length, bool zero_copy);
  // The kernel accepted it.
  void (*sent)(void *context, bool zero_copy);
  // The kernel itself refused it.
  void (*refused)(void *context, int error);
  // The kernel's error queue held this.
  void (*absorb)(void *context, const cts_message *message);
  // What a read of the error queue gets next; false: nothing now. A read begins with index 0.
  bool (*next)(void *context, int index, cts_message *message);
  // Bytes of option memory that are added to the kernel's own count (SO_MEMINFO).
  uint32_t (*memory)(void *context);
  // What is added to what epoll_wait finds.
  cts_events (*events)(void *context);
  // The hooks are out of use: the descriptor was closed, or they were removed.
  void (*end)(void *context);
} cts_hooks;

// Sets a descriptor's hooks, until it is closed or they are removed. -EEXIST where it has some, -ENOSPC
// where very many descriptors have.
int cts_set_hooks(int fd, cts_hooks hooks);
void cts_remove_hooks(int fd, void *context);

// A message as the kernel would put it on this socket's queue.
void cts_make_message(int fd, cts_message *message);

// A connected datagram socket passes for a vsock stream from now on, until it is closed: its family and type say so,
// and each send becomes one, two or three datagrams, each of which takes an id (rule 5). Shows the counting of ids where
// there is no vsock; what is lost or in flight for long it cannot show.
int cts_pass_for_vsock(int fd);

#endif
