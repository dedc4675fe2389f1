/* stall.h: all threads of the process wait for ever, and nobody is left to end a wait.
 *
 * Counted at every block without a limit; only when the count says that this thread is the last is each
 * wait looked at (a wake-up may be on its way), and then the kernel asked whether really all the others
 * sleep. Nothing is said where a thread that we do not know, a signal handler that may post a semaphore or that a timer will
 * run, or another
 * process could end a wait. Threads: any. */
#ifndef SHIM_STALL_H
#define SHIM_STALL_H

#include "block.h"

void shim_stall_enter(struct shim_block *block);
void shim_stall_leave(struct shim_block *block);
void shim_stall_thread_begins(const struct shim_thread *t);
/* The calling thread ends, and may have been the last that could end the others' waits. t->busy is set. */
void shim_stall_thread_ended(struct shim_thread *t);
/* A stall was reported in this process. */
bool shim_stall_told(void);
void shim_stall_forked(void);

#endif
