// What the plain C senders share.
#pragma once
#include <errno.h>
// linux/errqueue.h does not include it itself.
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// As the library has them, so that what differs is the program and not its settings.
enum { SENDS_A_REAP = 64, MESSAGES_A_REAP = 16, CONTROL_SIZE = 512 };

static void fail(const char *what) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
  exit(1);
}

static long number(const char *text, long least) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno != 0 || *text == 0 || *end != 0 || value < least) {
    fprintf(stderr, "%s: '%s' is not a number of at least %ld\n", program_invocation_short_name, text, least);
    exit(2);
  }
  return value;
}

// Reads the error queue once, without asking again whether it is empty: that would cost another system
// call and tell nothing. Returns how many ids it named.
static uint64_t reap(int fd) {
  _Alignas(struct cmsghdr) unsigned char control[MESSAGES_A_REAP][CONTROL_SIZE];
  struct mmsghdr messages[MESSAGES_A_REAP];
  for (int i = 0; i < MESSAGES_A_REAP; i++) {
    messages[i] = (struct mmsghdr){0};
    messages[i].msg_hdr.msg_control = control[i];
    messages[i].msg_hdr.msg_controllen = CONTROL_SIZE;
  }
  int count;
  do {
    count = recvmmsg(fd, messages, MESSAGES_A_REAP, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return 0;
  if (count < 0) fail("recvmmsg");
  uint64_t ids = 0;
  for (int i = 0; i < count; i++) {
    struct msghdr *message = &messages[i].msg_hdr;
    if (message->msg_flags & MSG_CTRUNC) {
      fprintf(stderr, "%s: a notification was cut off\n", program_invocation_short_name);
      exit(1);
    }
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
      if (header->cmsg_level != SOL_IP || header->cmsg_type != IP_RECVERR) continue;
      struct sock_extended_err error;
      memcpy(&error, CMSG_DATA(header), sizeof error);
      if (error.ee_origin != SO_EE_ORIGIN_ZEROCOPY || error.ee_errno != 0) continue;
      // Unsigned, so that a range across the counter's wrap counts right.
      ids += (uint64_t)(uint32_t)(error.ee_data - error.ee_info) + 1;
    }
  }
  return ids;
}

// Waits until the error queue has something. POLLERR comes without being asked for.
static void await(int fd) {
  struct pollfd waiting = {.fd = fd};
  int count;
  do {
    count = poll(&waiting, 1, 60 * 1000);
  } while (count < 0 && errno == EINTR);
  if (count < 0) fail("poll");
  if (count == 0) {
    fprintf(stderr, "%s: no notification for a minute\n", program_invocation_short_name);
    exit(1);
  }
}
