// Namespaces and what else a lane is made of: a network on this machine in which zero copy really happens.
// Linux only; elsewhere everything answers -ENOSYS. A result is 0 or more, or -errno. Nothing made here
// outlives the processes that hold it.
#ifndef CLANES_H
#define CLANES_H

#include <stdbool.h>

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

// A copy of a string, for the call below.
char *cln_copy(const char *text);

// Replaces this process by a program, found as a shell finds it. Returns only if that failed.
int cln_become(char *const arguments[]);

#endif
