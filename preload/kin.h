/* kin.h: must-happen-before between a process and its children, for the log.
 *
 * Threads: any, also in signal handlers (of SIGCHLD); what interrupts our own recording notes nothing.
 * Failure: an order that could not be noted is counted as a lost segment. errno stays. */
#ifndef SHIM_KIN_H
#define SHIM_KIN_H

#include <stdint.h>
#include <sys/types.h>

/* What the calling thread did up to here is before all that a child made now does. */
struct shim_fork {
	uint32_t segment; /* 0: not recorded */
	uint64_t time_ns;
};
struct shim_fork shim_fork_begin(void);
/* In the parent; pid <= 0: there is no child. */
void shim_fork_end(const struct shim_fork *fork, pid_t pid);

/* All that the process did is before what the calling thread does from here on. */
void shim_child_ended(pid_t pid);

#endif
