/* fork_held.h: in the child of a fork: the locks that other threads held at the fork.
 *
 * Nobody can release them there any more. What the others held is read from the copy of their memory, at the child's first
 * moment. Memory: a fixed table. Threads: the child's first fills it, then any read it.
 * Failure: more locks than the table has room for are not known. */
#ifndef SHIM_FORK_HELD_H
#define SHIM_FORK_HELD_H

#include "shim.h"

/* Called first in a new child, before its own log and board begin. */
void shim_fork_held_collect(void);

/* The calling thread would block on `lock`: say so when it was held at the fork. t->busy is set. */
void shim_fork_held_check(struct shim_thread *t, const void *lock, enum dt_lock_kind kind, uint32_t context);

/* Initialised again: another lock. */
void shim_fork_held_forget(const void *lock);

#endif
