// What else than notifications is charged to a socket's option memory (SO_MEMINFO's SK_MEMINFO_OPTMEM).
//
// Each call says how much there is to be from now on: it replaces what the same call has set before, and 0 removes it.
// 0, or -errno: what a kernel does not have, and what the caller may not do, is refused.
#ifndef CTS_OPTION_MEMORY_H
#define CTS_OPTION_MEMORY_H

// A filter of so many instructions of 8 bytes that lets everything through: the older kind, and the kind that bpf(2)
// loads. A socket has one of either.
int cts_attach_filter(int fd, int instructions);
int cts_attach_program(int fd, int instructions);

// Membership in so many multicast groups of a version of IP, on the loopback: a TCP socket can join them too.
int cts_join_groups(int fd, int family, int count);

// A list of so many sources from which one more group is received.
int cts_list_sources(int fd, int family, int count);

// So many bytes, a multiple of 8, of destination options in each IPv6 packet: a receiver that does not know them skips
// them. They take room from the payload.
int cts_set_header_options(int fd, int bytes);

// MD5 keys for so many peers, of the socket's own version of IP, that it does not talk to.
int cts_add_keys(int fd, int count);

// So many bytes of socket storage, which BPF programs use to remember something about a socket.
int cts_store(int fd, int bytes);

#endif
