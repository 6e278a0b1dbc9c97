// What Swift cannot say of a Linux socket, as flat structs and plain functions.
// Text is written with its end into `capacity` bytes, at least 1, and cut where it does not fit.
//
// One function is about one system call. Each answers a result of zero or more, or -errno, read at
// once. Nothing here keeps state, allocates memory, waits without a bound, raises a signal or prints.
// "Rule N" names a rule of MSG_ZEROCOPY in the project's kernel-rules document.
#ifndef CZEROCOPY_H
#define CZEROCOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- Sending (send.c) -------------------------------------------------------------------------

// A piece of memory to send; laid out as struct iovec.
typedef struct czc_buffer {
  const void *base;
  size_t length;
} czc_buffer;

enum {
  CZC_SEND_ZEROCOPY = 1,  // MSG_ZEROCOPY: the kernel may read the memory until its notification
  CZC_SEND_DONTWAIT = 2,  // MSG_DONTWAIT
  CZC_SEND_MORE = 4,      // MSG_MORE: TCP holds back what does not fill a packet, for what follows
};

// The most buffers that one czc_send takes (IOV_MAX).
enum { CZC_MAX_BUFFERS = 1024 };

// sendmsg(2), or send(2) of a single buffer, always with MSG_NOSIGNAL (rule 22). Bytes accepted, or -errno,
// -EINTR included: only the caller knows how long it still wants to wait.
int64_t czc_send(int fd, const czc_buffer *buffers, int count, int flags);

// setsockopt(TCP_CORK, 0): sends what was held back, unless the socket's owner has corked it; -ENOSYS off Linux.
int czc_uncork(int fd);

// recv(2). Bytes, 0 at the end of the stream, or -errno. A datagram that was cut counts as long as it was (MSG_TRUNC):
// more than `capacity`.
int64_t czc_receive(int fd, void *memory, size_t capacity, bool is_datagram);

// ---- Datagrams (segments.c) -------------------------------------------------------------------

// getsockopt(UDP_SEGMENT): bytes of each datagram that a send of this socket is cut into, 0 where it is not
// cut; -errno where the socket, or the kernel, cannot.
int czc_segment_size(int fd);
// setsockopt(UDP_SEGMENT), 0 to 65,535.
int czc_set_segment_size(int fd, int size);

// As czc_send, cut into datagrams of `segment_size` bytes, the last one shorter: a control message UDP_SEGMENT.
// Kernels before 4.18 pass it over in silence: ask czc_segment_size first. -ENOSYS off Linux.
int64_t czc_send_segments(int fd, const czc_buffer *buffers, int count, int flags, uint16_t segment_size);

// The most datagrams that one czc_send_datagrams takes.
enum { CZC_MAX_DATAGRAMS = 256 };

// sendmmsg(2): sends each buffer as one datagram, or as several where `segment_size` is not 0. How many buffers
// were accepted, which is fewer where one failed; -errno where it was the first. A loop over send(2) off Linux.
int czc_send_datagrams(int fd, const czc_buffer *datagrams, int count, int flags, uint16_t segment_size);

// The most whole segments that this kernel makes of one send, found out by sending to itself over the loopback.
int czc_most_segments(void);

// 1 where a UDP socket sends checksums, 0 where they are switched off (SO_NO_CHECK, UDP_NO_CHECK6_TX).
int czc_sends_checksums(int fd, int family);

// ---- Notifications (notifications.c) ----------------------------------------------------------

// One notification: the sends `first` to `last`, both included, counted modulo 2^32 (rule 1).
typedef struct czc_notification {
  uint32_t first;
  uint32_t last;
  bool copied;
} czc_notification;

// What a read of the error queue met.
typedef struct czc_reaped {
  int messages;       // taken off the queue
  int notifications;  // written to the caller's array
  int foreign;        // time stamps, ICMP errors: dropped (rule 11)
  int truncated;      // a control buffer too small: ids are lost (rule 12)
} czc_reaped;

// The most messages that one czc_read_notifications takes.
enum { CZC_MAX_NOTIFICATIONS = 16 };

// Finds the zero-copy notification in a control buffer, which may be cut, misaligned or hostile.
// 1: found and written; 0: there is none.
int czc_parse_control(const void *control, size_t length, czc_notification *notification);

// recvmmsg(2) with MSG_ERRQUEUE | MSG_DONTWAIT and no iovec (rule 13): takes up to `capacity`
// messages off the error queue. 0 when the queue was read; -EAGAIN is not an answer: an empty queue
// gives 0 with no messages. Only for sockets where SO_ZEROCOPY is on.
int czc_read_notifications(int fd, czc_notification *notifications, int capacity, czc_reaped *reaped);

// getsockopt(SO_MEMINFO): bytes of option memory that the socket uses, which count its notification
// blocks in flight and unread (rule 31).
int64_t czc_option_memory(int fd);

// Bytes of option memory that one notification block takes on this kernel, learnt from one UDP send that never leaves
// a socket of its own (rule 31): towards this machine, or, where it has no loopback, towards the peer of `fd`.
int64_t czc_notification_block_size(void);
int64_t czc_notification_block_size_towards_peer(int fd);

// ---- Waiting (wait.c) -------------------------------------------------------------------------

enum {
  CZC_EVENT_ERROR = 1,     // EPOLLERR: perhaps a notification, perhaps a failure (rule 14)
  CZC_EVENT_HANGUP = 2,    // EPOLLHUP: both directions are shut (rule 14)
  CZC_EVENT_WRITABLE = 4,  // EPOLLOUT
  CZC_EVENT_RING = 8,      // the bell that the waiter hears
};

// A new epoll descriptor that wakes for each notification on fd without spinning: EPOLLET and no
// other event (rule 15).
int czc_waiter_open(int fd);

// Adds or takes away EPOLLOUT; what is ready now wakes the next wait.
int czc_waiter_want_writable(int waiter, int fd, bool writable);

// poll(2) of nothing: sleeps.
void czc_pause(uint64_t nanoseconds);

// epoll_wait(2) for at most `nanoseconds`, rounded up to milliseconds. Events, 0 when time is up, or
// -errno, -EINTR included.
int czc_waiter_wait(int waiter, uint64_t nanoseconds);

// eventfd(2): a bell. czc_bell_ring wakes every waiter that hears it, and never waits itself.
int czc_bell_open(void);
void czc_bell_ring(int bell);
// From now on the waiter hears the bell, or no longer. It may begin with a ring that was there before.
int czc_waiter_hear(int waiter, int bell, bool hears);


// CLOCK_MONOTONIC, and the CPU time of this thread and of this process, in nanoseconds.
uint64_t czc_now(void);
uint64_t czc_thread_cpu(void);
uint64_t czc_process_cpu(void);
// gettid(2): tells the calling thread from others, and from those that have ended before. pthread_self(3) off Linux.
uintptr_t czc_thread(void);

// ---- Sockets (socket.c) -----------------------------------------------------------------------

enum { CZC_STREAM = 1, CZC_DATAGRAM = 2 };
enum { CZC_FAMILY_OTHER = 0, CZC_FAMILY_IPV4, CZC_FAMILY_IPV6, CZC_FAMILY_UNIX, CZC_FAMILY_VSOCK };

// A socket address, and the kind of socket that goes with it.
typedef struct czc_address {
  uint32_t length;
  int family;  // CZC_FAMILY_…
  int type;    // CZC_STREAM or CZC_DATAGRAM
  _Alignas(8) unsigned char bytes[128];
} czc_address;

// What a descriptor is.
typedef struct czc_socket_facts {
  int family;        // CZC_FAMILY_…
  int type;          // CZC_STREAM, CZC_DATAGRAM, or 0 for another
  bool is_tcp;       // plain TCP, and not MPTCP, SCTP, …
  bool is_mptcp;     // TCP over several paths
  bool is_mapped;    // IPv6 whose peer is an IPv4 address
  bool listening;
  bool connected;
  bool upper_layer;  // a TCP upper-layer protocol is attached: kernel TLS
} czc_socket_facts;

// socket(2) for an address, close-on-exec (rule 27).
int czc_open(const czc_address *address);

// connect(2), waiting at most `nanoseconds`; -ETIMEDOUT when they are over. The descriptor's
// O_NONBLOCK is as before afterwards.
int czc_connect(int fd, const czc_address *address, uint64_t nanoseconds);

// bind(2) and listen(2), and the descriptor made non-blocking, so that an accept never waits for a
// connection that went away.
int czc_listen(int fd, const czc_address *address, int backlog);

// Which file a path names now: stat(2)'s device and inode.
typedef struct czc_file_identity {
  uint64_t device;
  uint64_t inode;
} czc_file_identity;
int czc_identify(const char *path, czc_file_identity *identity);
// unlink(2), where the path still names that file; -ESTALE where not.
int czc_remove_file(const char *path, czc_file_identity identity);

// accept4(2), close-on-exec, waiting at most `nanoseconds`; -ETIMEDOUT when they are over.
int czc_accept(int fd, uint64_t nanoseconds);

// setsockopt(SO_ZEROCOPY).
int czc_enable_zerocopy(int fd);
// getsockopt(SO_ZEROCOPY): 1 on, 0 off, -errno.
int czc_zerocopy_enabled(int fd);

// O_NONBLOCK, asked of the kernel: another owner of the descriptor may have changed it.
int czc_is_nonblocking(int fd);
int czc_set_nonblocking(int fd, bool nonblocking);
// What czc_open does to its own: close-on-exec, and no SIGPIPE where that is an option of the socket.
int czc_prepare(int fd);

// SO_SNDTIMEO and SO_RCVTIMEO; 0 is without end.
int czc_set_send_timeout(int fd, uint64_t nanoseconds);
int czc_set_receive_timeout(int fd, uint64_t nanoseconds);
// TCP_USER_TIMEOUT, rounded up to milliseconds; -ENOSYS off Linux.
int czc_set_user_timeout(int fd, uint64_t nanoseconds);
int czc_set_no_delay(int fd, bool on);
int czc_set_keep_alive(int fd, bool on);
int czc_set_send_buffer(int fd, int bytes);

// getsockopt(SO_ERROR): the pending error, which the kernel forgets by telling it, as a positive
// errno; 0 for none.
int czc_take_error(int fd);

// getsockopt(TCP_INFO): 1 where TCP has given the connection up, or ended it in order; 0 where not;
// -errno, for sockets that are not TCP too.
int czc_tcp_is_closed(int fd);

// The same: 1 where the peer, or we, have ended our side of the stream, or TCP is closed; 0 where not; -errno.
int czc_tcp_peer_has_ended(int fd);
int czc_tcp_we_have_ended(int fd);

// ioctl(SIOCOUTQ): bytes written that a TCP peer has not acknowledged, the end of the stream counted as
// one, or that a UNIX peer has not read; -ENOSYS off Linux.
int64_t czc_unacknowledged(int fd);

// getsockopt(IP_MTU or IPV6_MTU): the most bytes of a packet on the path of a connected socket; -errno.
int czc_path_mtu(int fd, int family);

int czc_inspect(int fd, czc_socket_facts *facts);

enum { CZC_SHUT_READ = 0, CZC_SHUT_WRITE = 1, CZC_SHUT_BOTH = 2 };
int czc_shutdown(int fd, int how);

// connect(2) to AF_UNSPEC: empties TCP's own queues, and the notifications of what was in them still
// come (rule 25).
int czc_abort(int fd);

// fcntl(F_DUPFD_CLOEXEC).
int czc_duplicate(int fd);
int czc_close(int fd);

// ---- Addresses (address.c) --------------------------------------------------------------------

// getaddrinfo(3): up to `capacity` addresses in the system's order; 0 or more, or a negative number
// with the resolver's own code in *resolver_code. Cannot be bounded in time.
int czc_resolve(const char *host, uint16_t port, int type, bool passive, czc_address *addresses,
                int capacity, int *resolver_code);
// gai_strerror(3).
const char *czc_resolver_message(int resolver_code);

// AF_UNIX; a leading '@' is an abstract name. -ENAMETOOLONG where it does not fit.
int czc_unix_address(const char *path, czc_address *address);
// AF_VSOCK stream; -EAFNOSUPPORT off Linux.
int czc_vsock_address(uint32_t cid, uint32_t port, czc_address *address);

// getsockname(2), getpeername(2) as host:port, [v6]:port, unix:path or vsock:cid:port. Length of the
// text without its end, or -errno.
enum { CZC_ADDRESS_TEXT = 192 };
int czc_local_address_text(int fd, char *text, size_t capacity);
int czc_peer_address_text(int fd, char *text, size_t capacity);

// ---- Facts of the system (facts.c) ------------------------------------------------------------

// Whether a socket of the family and type takes SO_ZEROCOPY: 0, or -errno.
int czc_probe_zerocopy(int family, int type);

// uname(2)'s release. Length, or -errno.
int czc_kernel_release(char *text, size_t capacity);

// RLIMIT_MEMLOCK in bytes; INT64_MAX for no limit.
int64_t czc_locked_memory_limit(void);

// 1 where CAP_IPC_LOCK in the initial user namespace lifts that limit (rule 16), 0 where not.
int czc_locked_memory_unlimited(void);

// net.core.optmem_max of this network namespace, or -errno (rule 17).
int64_t czc_option_memory_limit(void);

// 1 where the environment variable ZEROCOPY_DISABLE is set to anything but "" or "0".
int czc_switched_off(void);

// ---- Files and memory (memory.c) --------------------------------------------------------------

// fstat(2): the size of a regular file in bytes; -EISDIR for a directory, -ESPIPE for anything else that
// has no size, -errno.
int64_t czc_file_size(int fd);

// A file of its own in memory, without a name: memfd_create(2); -ENOSYS off Linux.
int czc_memory_file(void);

// mmap(2): a file for reading (PROT_READ, MAP_SHARED), or NULL with the errno in *error.
void *czc_map_file(int fd, size_t length, int *error);
// mmap(2): fresh memory, its pages present at once (MAP_POPULATE): memory that was never written is
// the shared zero page, which would go out as zeros whatever is written later (rule 23).
void *czc_map_memory(size_t length, int *error);
int czc_unmap(void *memory, size_t length);

// read(2), again after EINTR.
int64_t czc_read(int fd, void *memory, size_t capacity);

// How the pages of a pool are asked for.
enum {
  CZC_PAGES_STANDARD = 0,
  // Transparent huge pages (MADV_HUGEPAGE).
  CZC_PAGES_HUGE = 1,
  // From those that the system has reserved (MAP_HUGETLB).
  CZC_PAGES_RESERVED = 2,
};

// sysconf(_SC_PAGESIZE), and the size of a huge page.
size_t czc_page_size(void);
size_t czc_huge_page_size(void);

// What a new mapping may take before the system has to swap or to kill, in bytes, or -errno: MemAvailable, and less
// where a control group of this process has a limit (memory.max, or memory.limit_in_bytes of version 1).
int64_t czc_available_memory(void);

// mmap(2): fresh memory, aligned to its kind of pages and each page present. NULL with the errno in *error;
// length is a multiple of the page size.
void *czc_map_pages(size_t length, int pages, int *error);

// Whether all of it lies on transparent huge pages; tries to bring it there (MADV_COLLAPSE). Where the kernel
// cannot say, whether it uses such pages at all.
bool czc_is_huge(void *memory, size_t length);

// mmap(2) with MAP_FIXED: fresh pages in the place of these, standard ones where there are no others. Who still
// reads the old ones goes on reading them. Where it fails, the place must not be touched again.
int czc_replace_pages(void *memory, size_t length, int pages);

// mprotect(2): readable and writable, or neither.
int czc_protect(void *memory, size_t length, bool accessible);

// memcmp(3): 1 where the bytes are equal, 0 where not.
int czc_equal(const void *left, const void *right, size_t length);

// isatty(3): 1 or 0.
int czc_is_terminal(int fd);

#ifdef __cplusplus
}
#endif
#endif
