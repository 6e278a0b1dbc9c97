// Namespaces and what else a lane is made of: a network on this machine in which zero copy really happens.
// Linux only; elsewhere everything answers -ENOSYS. A result is 0 or more, or -errno. Nothing made here
// outlives the processes that hold it.
#ifndef CLANES_H
#define CLANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Moves the calling thread into a new network namespace. With `as_new_user` the process first enters a user
// namespace as its root, which an ordinary user may do, and only while the process has a single thread.
int cln_enter_new_network(bool as_new_user);

// A descriptor of the calling thread's network, which lives as long as the descriptor is open. Inherited by
// the programs that this process starts.
int cln_network(void);

// Moves the calling thread into that network.
int cln_enter_network(int network);

// Attaches a program that lets every packet pass to an interface of the calling thread's network. Its
// driver then copies each packet as the DMA of a card would, instead of handing on the sender's memory.
// Returns a descriptor that keeps the program attached, inherited like the one above.
int cln_attach_pass_program(const char *interface);

// Runs a script with /bin/sh and waits for it. Returns its exit status.
int cln_run_script(const char *script);

// Keeps the last processor busy for as long as this process lives, whatever program it becomes.
int cln_occupy_last_processor(void);

// Adds a variable to the environment of what this process starts or becomes.
int cln_set_variable(const char *name, const char *value);

// This process, and whether it runs as root.
int cln_process(void);
bool cln_is_root(void);

// A copy of a string, for the calls below, and its end.
char *cln_copy(const char *text);
void cln_free(char *text);

// Replaces this process by a program, found as a shell finds it. Returns only if that failed.
int cln_become(char *const arguments[]);

// ---- Who receives (processes.c) ---------------------------------------------------------------

// Keeps the calling thread on the first processor; -ENOENT where there is no other one.
int cln_stay_on_first_processor(void);

// Starts a program, whose path is the first argument, in the network that a path names, or in this one where that
// is NULL; on the last processor, or where the calling thread is. What it writes comes out of a pipe. It ends with
// the calling thread at the latest. Returns the process.
int cln_start(char *const arguments[], const char *network, bool on_last_processor, int *output);

// Waits for the end of such a process, or ends it at once. Returns its exit status.
int cln_end(int process, bool at_once);

// TCP asks a peer that is silent for 30 seconds whether it is there still, and the connection ends where it has not
// answered for a minute.
int cln_notice_vanished_peer(int fd);

// A variable of the environment, or NULL.
const char *cln_variable(const char *name);

// ---- Datagrams of several peers (datagrams.c) -------------------------------------------------

typedef struct cln_peer {
  uint64_t key;  // of its address
  unsigned length;
  _Alignas(8) unsigned char bytes[128];
} cln_peer;

// bind(2), with as much room for what arrives as can be had.
int cln_bind_datagrams(int fd, const void *address, unsigned length);

// recvmsg(2), waiting at most so long: how long the datagram was, of which the memory has the beginning, and
// who sent it. -ETIMEDOUT when the time is over.
int64_t cln_receive_from(int fd, void *memory, size_t capacity, int milliseconds, cln_peer *peer);

// sendto(2), without waiting.
int64_t cln_send_to(int fd, const void *memory, size_t length, const cln_peer *peer);

#endif
