// libFuzzer's target for what reads the error queue: hostile control buffers, alone and as a kernel would
// hand out several at once. An independent reading of the same bytes says what must come of them.
//
// The input: a byte with the capacity, a byte with what goes wrong (FAULT_...), then messages, each of them a
// byte with its flags (1: MSG_CTRUNC), two with its length, and the control buffer itself.
#define _GNU_SOURCE 1
#include "CZeroCopy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CONTROL_SIZE = 512, HEADER = 16, FAULT_EINTR = 1, FAULT_ERROR = 2 };

_Static_assert(sizeof(size_t) == 8, "the layout below is that of 64 bits");

#define CHECK(condition)                                           \
  do {                                                             \
    if (!(condition)) {                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                     \
    }                                                              \
  } while (0)

// ---- The oracle: the kernel's layout by its numbers, without a libc's macros ---------------------

static uint64_t read64(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static uint32_t read32(const uint8_t *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static bool plain_parse(const uint8_t *bytes, size_t left, czc_notification *found) {
  while (left >= HEADER) {
    uint64_t size = read64(bytes);
    if (size < HEADER || size > left) return false;
    uint32_t level = read32(bytes + 8), type = read32(bytes + 12);
    bool is_error = (level == 0 && type == 11) || (level == 41 && type == 25) || (level == 287 && type == 1);
    // errno, origin, type, code, padding, info, data.
    if (is_error && size >= HEADER + 16 && read32(bytes + 16) == 0 && bytes[20] == 5) {
      found->first = read32(bytes + 24);
      found->last = read32(bytes + 28);
      found->copied = bytes[22] & 1;
      return true;
    }
    uint64_t padded = (size + 7) / 8 * 8;
    if (padded > left) return false;
    bytes += padded;
    left -= padded;
  }
  return false;
}

static void check_equal(const czc_notification *left, const czc_notification *right) {
  CHECK(left->first == right->first && left->last == right->last && left->copied == right->copied);
}

// ---- One control buffer, in memory of exactly its size, so that a read past it is seen -----------

static void check_parser(const uint8_t *bytes, size_t length) {
  const czc_notification untouched = {0xDEAD, 0xBEEF, false};
  czc_notification expected = untouched, answer = untouched;
  bool has = plain_parse(bytes, length, &expected);
  // Also where no header is aligned.
  size_t shift = length % 3;
  uint8_t *exact = malloc(shift + length);
  if (length > 0) memcpy(exact + shift, bytes, length);
  CHECK(czc_parse_control(exact + shift, length, &answer) == has);
  check_equal(&answer, &expected);
  free(exact);
}

// ---- A kernel that hands out the input's messages ------------------------------------------------

typedef struct {
  const uint8_t *bytes;
  size_t length;
  bool truncated;
} message_input;

static struct {
  message_input messages[CZC_MAX_NOTIFICATIONS + 1];
  int count;
  int faults;
  int calls;
} kernel;

// notifications.c is compiled to call this in place of recvmmsg(2).
int fuzz_recvmmsg(int fd, struct mmsghdr *messages, unsigned capacity, int flags, struct timespec *timeout) {
  (void)fd;
  kernel.calls++;
  CHECK((flags & MSG_ERRQUEUE) && (flags & MSG_DONTWAIT) && timeout == NULL);
  if ((kernel.faults & FAULT_EINTR) && kernel.calls == 1) return errno = EINTR, -1;
  if (kernel.faults & FAULT_ERROR) return errno = ENOTCONN, -1;
  if (kernel.count == 0) return errno = EAGAIN, -1;
  CHECK(capacity <= CZC_MAX_NOTIFICATIONS);
  int count = kernel.count < (int)capacity ? kernel.count : (int)capacity;
  for (int i = 0; i < count; i++) {
    struct msghdr *header = &messages[i].msg_hdr;
    const message_input *input = &kernel.messages[i];
    // Rules 12 and 13: the whole buffer each time, and nothing to read stream data into.
    CHECK(header->msg_controllen == CONTROL_SIZE && header->msg_iovlen == 0);
    // What an earlier call has left behind the end would be read as a notification.
    static const uint8_t stale[32] = {32, [12] = 11, [20] = 5, [24] = 0xEE, [28] = 0xEE};
    for (size_t at = 0; at < CONTROL_SIZE; at += sizeof stale) {
      memcpy((uint8_t *)header->msg_control + at, stale, sizeof stale);
    }
    if (input->length > 0) memcpy(header->msg_control, input->bytes, input->length);
    header->msg_controllen = input->length;
    header->msg_flags = MSG_ERRQUEUE | (input->truncated ? MSG_CTRUNC : 0);
  }
  return count;
}

static void check_reading(int capacity) {
  czc_notification answers[CZC_MAX_NOTIFICATIONS];
  czc_reaped reaped;
  kernel.calls = 0;
  int result = czc_read_notifications(-1, answers, capacity, &reaped);
  CHECK(result == ((kernel.faults & FAULT_ERROR) && capacity > 0 ? -ENOTCONN : 0));
  int handed_out = result < 0 || capacity < 0 ? 0 : kernel.count < capacity ? kernel.count : capacity;
  if (handed_out > CZC_MAX_NOTIFICATIONS) handed_out = CZC_MAX_NOTIFICATIONS;
  int notifications = 0, truncated = 0, foreign = 0;
  for (int i = 0; i < handed_out; i++) {
    czc_notification expected;
    if (plain_parse(kernel.messages[i].bytes, kernel.messages[i].length, &expected)) {
      check_equal(&answers[notifications++], &expected);
    } else if (kernel.messages[i].truncated) {
      truncated++;
    } else {
      foreign++;
    }
  }
  CHECK((int)reaped.messages == handed_out && (int)reaped.notifications == notifications);
  CHECK((int)reaped.truncated == truncated && (int)reaped.foreign == foreign);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  if (length < 2) return 0;
  int capacity = (int8_t)bytes[0];
  kernel.faults = bytes[1];
  kernel.count = 0;
  bytes += 2, length -= 2;
  while (length >= 3 && kernel.count <= CZC_MAX_NOTIFICATIONS) {
    size_t size = bytes[1] | (size_t)bytes[2] << 8;
    if (size > length - 3) size = length - 3;
    if (size > CONTROL_SIZE) size = CONTROL_SIZE;
    kernel.messages[kernel.count++] = (message_input){bytes + 3, size, (bytes[0] & 1) != 0};
    bytes += 3 + size, length -= 3 + size;
  }
  for (int i = 0; i < kernel.count; i++) {
    check_parser(kernel.messages[i].bytes, kernel.messages[i].length);
  }
  check_reading(capacity);
  return 0;
}
