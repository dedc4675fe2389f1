/* waiters.h: who waits on a condition variable, and how many of them have been woken and are not back yet.
 *
 * The waiters' mutex is kept too: while somebody waits, it is the one that all must use.
 * Memory: a fixed table, wiped in the child of a fork. Threads: any, lock-free.
 * Failure: a full table gives NULL: nothing is known of that condition. */
#ifndef SHIM_WAITERS_H
#define SHIM_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

#include "shim.h"

struct shim_waiters;

bool shim_waiters_open(void);

/* Before the real wait. *other: the mutex that the others wait with, when it is not `mutex`. */
struct shim_waiters *shim_waiters_enter(const void *cond, const void *mutex, const void **other);
/* After it; woken: it did not time out. `w` may be NULL. */
void shim_waiters_leave(struct shim_waiters *w, bool woken);
/* Before the real signal or broadcast. Cheap when nobody waits. */
void shim_waiters_wake(const void *cond, bool all);

/* Waiters that nobody has woken; known false: this condition is not followed. */
uint32_t shim_waiters_asleep(const void *cond, bool *known);
/* The same, without those that were woken and are not back: some wake-up is under way. */
bool shim_waiters_pending(const void *cond);

#endif
