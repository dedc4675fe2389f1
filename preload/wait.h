/* wait.h: a wait on a condition releases its mutex and takes it again inside glibc, past our hooks.
 *
 * SHIM_COND_WAIT notes the release, the wait under what stays held, and the re-acquisition, which
 * is an acquisition like any other: wanted, before the wait, under what stays held. A cancelled
 * wait has the mutex again when the program's cleanup handlers run: a handler of ours notes that. */
#ifndef SHIM_WAIT_H
#define SHIM_WAIT_H

#include <pthread.h>

#include "block.h"
#include "shim.h"

struct shim_cond_wait {
	struct shim_block block;
	struct shim_waiters *waiters;
	void *mutex;
	uint32_t index;    /* of the mutex's new entry */
	uint32_t relocks;  /* a recursive mutex goes on being held as often as before (enum shim_how) */
	bool held;         /* it was held at the wait */
	bool woken;        /* it did not time out */
};

void shim_cond_wait_begin(struct shim_cond_wait *wait, void *cond, void *mutex, uint32_t how, uintptr_t slot);
void shim_cond_wait_end(void *wait);

/* timed_out: what the call returns then. */
#define SHIM_COND_WAIT(result, cond, mutex, how, timed_out, call)            \
	do {                                                                 \
		struct shim_cond_wait shim_wait;                             \
		shim_cond_wait_begin(&shim_wait, cond, mutex, how, SHIM_SLOT()); \
		pthread_cleanup_push(shim_cond_wait_end, &shim_wait);        \
		(result) = (call);                                           \
		shim_wait.woken = (result) != (timed_out);                   \
		pthread_cleanup_pop(1);                                      \
	} while (0)

#endif
