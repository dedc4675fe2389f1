/* process.h: one log a process: the start, and the child after a fork. Threads: any. */
#ifndef SHIM_PROCESS_H
#define SHIM_PROCESS_H

#include <stdbool.h>

#include "shim.h"

/* Get the tables; once, before the first log. False: no memory (said). */
bool shim_process_open(void);
/* A log was opened for this process. forked: it inherited our state from its parent. */
void shim_process_started(bool forked);
/* Recording is on in this process and `t` is registered in it. */
bool shim_process_check(struct shim_thread *t);

/* The process is about to end with this status, by its own will. */
void shim_process_ending(int status);

#endif
