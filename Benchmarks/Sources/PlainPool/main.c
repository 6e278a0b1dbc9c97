// The floor that a pool is compared with: slots of memory, sent in turn by a plain, careful loop.
//
//   PlainPool [udp:]ADDRESS:PORT zerocopy|copy huge|standard COUNT SIZE SLOTS [SEGMENT|warm|greet]
//
// With SEGMENT each send is cut into datagrams of so many bytes.
//
// With `warm` the connection gets to know its path before anything is measured, by as many sends as in `zerocopy
// bench`; with `greet` it does, too, and the peer is a `zerocopy sink`, which has to be greeted.
// Does what PoolSender does, with the same memory laid out in the same way, and prints the same. A slot is sent
// again only when its last send is done.
#define _GNU_SOURCE
#include "../Plain/plain.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static int open_connection(const char *endpoint, bool zerocopy) {
  bool datagrams = strncmp(endpoint, "udp:", 4) == 0;
  char text[64];
  snprintf(text, sizeof text, "%s", endpoint + (datagrams ? 4 : 0));
  char *colon = strrchr(text, ':');
  if (!colon) {
    fprintf(stderr, "PlainPool: '%s' is not ADDRESS:PORT\n", endpoint);
    exit(2);
  }
  *colon = 0;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(colon + 1, 1))};
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) fail("inet_pton");
  int fd = socket(AF_INET, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  int on = 1;
  struct timeval patience = {.tv_sec = 60};
  if (!datagrams && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) fail("TCP_NODELAY");
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0) fail("SO_SNDTIMEO");
  if (zerocopy && setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0) fail("SO_ZEROCOPY");
  return fd;
}

// The first 40 bytes are a greeting, as Sources/ZeroCopyTool/Sink/Greeting.swift has it.
static void greet(int fd) {
  unsigned char message[40] = {0x93, 'Z', 'C', 'S', 'I', 'N', 'K', '\n', 1, 1};
  if (send(fd, message, sizeof message, MSG_NOSIGNAL) != sizeof message) fail("greeting");
  struct timeval patience = {.tv_sec = 5};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) fail("SO_RCVTIMEO");
  if (recv(fd, message, sizeof message, MSG_WAITALL) != sizeof message || message[9] != 2) fail("no sink answers");
}

static char *map(size_t length, bool huge) {
  enum { HUGE_PAGE = 2 << 20 };
  length = (length + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  char *place = mmap(NULL, length + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) fail("mmap");
  char *memory = place + (HUGE_PAGE - (uintptr_t)place % HUGE_PAGE) % HUGE_PAGE;
  if (madvise(memory, length, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) < 0) fail("madvise");
  // Written to before it is sent: memory that never was is the shared zero page.
  memset(memory, 0x5a, length);
  if (huge && madvise(memory, length, 25 /* MADV_COLLAPSE */) < 0) fail("there are no huge pages");
  return memory;
}

static double processor_time(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) < 0) fail("getrusage");
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// The memory that is sent, and what of it is in flight.
struct slots {
  char *memory;
  size_t size, stride, count, next;
  // How many ids were issued when a slot's last send was made.
  uint64_t *ends;
  uint64_t issued, completed;
};

static void wait_for(int fd, struct slots *slots, uint64_t id) {
  // Nothing is lost on this way, so that ids come in order, and counting them is enough.
  while (slots->completed < id) {
    uint64_t ids = reap(fd);
    slots->completed += ids;
    if (ids == 0) await(fd);
  }
}

// Sends slot after slot, until all is done.
static void send_in_turn(int fd, struct slots *slots, long count, bool zerocopy) {
  int flags = MSG_NOSIGNAL | (zerocopy ? MSG_ZEROCOPY : 0);
  int since_reap = 0;
  for (long i = 0; i < count; i++) {
    wait_for(fd, slots, slots->ends[slots->next]);
    struct iovec piece = {slots->memory + slots->next * slots->stride, slots->size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    while (piece.iov_len > 0) {
      ssize_t sent = sendmsg(fd, &message, flags);
      if (sent < 0 && errno == EINTR) continue;
      // A limit on what is in flight: it is over when some of that has come back.
      if (sent < 0 && errno == ENOBUFS && slots->issued > slots->completed) {
        wait_for(fd, slots, slots->completed + 1);
        continue;
      }
      if (sent < 0) fail("sendmsg");
      piece.iov_base = (char *)piece.iov_base + sent;
      piece.iov_len -= (size_t)sent;
      if (!zerocopy) continue;
      slots->issued++;
      if (++since_reap == SENDS_A_REAP) {
        since_reap = 0;
        slots->completed += reap(fd);
      }
    }
    slots->ends[slots->next] = slots->issued;
    if (++slots->next == slots->count) slots->next = 0;
  }
  wait_for(fd, slots, slots->issued);
}

int main(int argc, char **argv) {
  bool greets = argc == 8 && strcmp(argv[7], "greet") == 0;
  bool warms_up = greets || (argc == 8 && strcmp(argv[7], "warm") == 0);
  if (argc < 7 || argc > 8) {
    fprintf(stderr,
            "usage: PlainPool [udp:]ADDRESS:PORT zerocopy|copy huge|standard COUNT SIZE SLOTS"
            " [SEGMENT|warm|greet]\n");
    return 2;
  }
  bool zerocopy = strcmp(argv[2], "zerocopy") == 0;
  long count = number(argv[4], 1);
  struct slots slots = {.size = (size_t)number(argv[5], 1), .count = (size_t)number(argv[6], 1)};
  slots.stride = (slots.size + 4095) / 4096 * 4096;
  slots.memory = map(slots.stride * slots.count, strcmp(argv[3], "huge") == 0);
  slots.ends = calloc(slots.count, sizeof *slots.ends);
  if (!slots.ends) fail("calloc");

  int fd = open_connection(argv[1], zerocopy);
  int segment = argc > 7 && !warms_up ? (int)number(argv[7], 1) : 0;
  if (segment > 0 && setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &segment, sizeof segment) < 0)
    fail("UDP_SEGMENT");
  if (greets) greet(fd);
  // As Plan.warmUp has it.
  long first = (2 << 20) / (long)slots.size;
  if (warms_up) send_in_turn(fd, &slots, first > 64 ? first : 64, zerocopy);

  double before = processor_time();
  send_in_turn(fd, &slots, count, zerocopy);
  double gibibytes = (double)slots.size * (double)count / (double)(1 << 30);
  printf("%.6f\n", (processor_time() - before) / gibibytes);
  shutdown(fd, SHUT_WR);
  close(fd);
  return 0;
}
