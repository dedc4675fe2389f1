/* avoid.h: deadlocks avoided (--avoid): in a section that needs more than one unit, a lock is taken only when
 * all threads in such sections can still end (detect/avoid.h); else the thread waits for what others release.
 *
 * How the locks' hooks get here: with `avoid` on, shim_want remembers nothing, so that each acquisition
 * passes note.c, and each thread's next sample is always the next acquisition, so that what is got passes
 * stats.c. With it off nothing is paid. An entry that counts here has SHIM_HOW_AVOIDED, which sends its
 * release to note.c.
 *
 * What handlers of signals take, and calls that try, is not held back; what the latter get is counted.
 * Threads: any. The state is changed under a futex that is held with all signals blocked, for the time of one
 * safety test; releases need it only while somebody waits. The child of a fork begins anew. Failure: no room
 * for one more section, resource or thread: what it takes is as without avoidance. */
#ifndef SHIM_AVOID_H
#define SHIM_AVOID_H

#include <stdbool.h>

#include "shim.h"

extern SHIM_HIDDEN bool shim_avoid_on;

/* Once, when the options are known. False: no memory. */
bool shim_avoid_open(void);
void shim_avoid_forked(void);
void shim_avoid_thread_ended(struct shim_thread *t);

/* The entry is wanted, by a call like `how`: returns when it may be. */
void shim_avoid_want(struct shim_thread *t, uint32_t index, uint32_t how);
/* The two halves of that. False: it is not granted yet, and the thread is in the queue until it has awaited that. */
bool shim_avoid_ask(struct shim_thread *t, uint32_t index, uint32_t how);
void shim_avoid_await(struct shim_thread *t, uint32_t index, uint32_t how);
/* It was got, or not. */
void shim_avoid_got(struct shim_thread *t, uint32_t index);
void shim_avoid_not_got(struct shim_thread *t, uint32_t index);
/* One more unit of a semaphore that the thread holds a unit of already. */
void shim_avoid_want_unit(struct shim_thread *t, const void *sem, uint32_t how);
void shim_avoid_got_unit(struct shim_thread *t, const void *sem, bool got);
/* A lock, or a unit, with SHIM_HOW_AVOIDED was released, and is no longer on the held stack. */
void shim_avoid_released(struct shim_thread *t, const void *lock, uint32_t how);

#endif
