// The peer of the senders: listens on a free port of an address, the loopback's unless told, prints its number,
// accepts one connection and reads it to its end.
//
//   Drain [SECONDS [ADDRESS]]
//
// It never outlives SECONDS (300 unless told), whatever the sender does.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "Drain: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  int seconds = argc > 1 ? atoi(argv[1]) : 300;
  alarm(seconds > 0 ? (unsigned)seconds : 300);

  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) fail("socket");
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, argc > 2 ? argv[2] : "127.0.0.1", &address.sin_addr) != 1) fail("inet_pton");
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) < 0) fail("bind");
  if (listen(listener, 1) < 0) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  int connection;
  do {
    connection = accept(listener, NULL, NULL);
  } while (connection < 0 && errno == EINTR);
  if (connection < 0) fail("accept");

  static char buffer[1 << 20];
  ssize_t count;
  do {
    count = read(connection, buffer, sizeof buffer);
  } while (count > 0 || (count < 0 && errno == EINTR));
  if (count < 0) fail("read");
  return 0;
}
