// Codec processes: how one is started by the relay, and how it locks itself in. Linux only.
#ifndef CWORKER_H
#define CWORKER_H

#include <stdint.h>
#include <sys/types.h>

// A process and the relay's ends of its pipes, both non-blocking and closed on exec.
typedef struct {
    pid_t pid;
    int input;   // read: the process's standard output
    int output;  // write: the process's standard input
} cworker_process;

// Starts `program` with one argument. It inherits its two pipes and nothing else: no other descriptor, /dev/null for
// standard error, no signal mask, and of the environment only where shared libraries are found.
//
// Returns 0, or -errno.
int cworker_spawn(const char *program, const char *argument, cworker_process *process);

// Locks the calling process in for good: no new privileges, no core files, `memory` bytes of writable memory, no file,
// socket or process can be opened or made any more, and all but a few system calls fail.
//
// Returns 0, or -errno of what could not be set.
int cworker_confine(uint64_t memory);

// Lets the calling process use `seconds` of processor time from now on; past them the kernel ends it.
int cworker_allow_cpu(unsigned seconds);

#endif
