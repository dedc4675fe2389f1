/* wait.h: a wait on a condition releases its mutex and takes it again inside glibc, past our hooks.
 *
 * SHIM_COND_WAIT notes the release, the wait under what stays held, and the re-acquisition, which
 * is an acquisition like any other: wanted, before the wait, under what stays held. A cancelled
 * wait has the mutex again when the program's cleanup handlers run: a handler of ours notes that.
 *
 * Under --avoid the mutex is asked for when glibc has it already: if that is not granted it is released again, and
 * taken when it is. The program sees a wait that was slow to take its mutex again. */
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
	int result;        /* of the call; while a cancelled wait ends: 0 */
	int retaken;       /* of taking the mutex once more; 0 too when that was not needed */
	bool held;         /* it was held at the wait */
	bool kept;         /* and locked more than once: the wait takes off one of the locks */
	bool woken;        /* it did not time out */
};

void shim_cond_wait_begin(struct shim_cond_wait *wait, void *cond, void *mutex, uint32_t how, uintptr_t slot);
void shim_cond_wait_end(void *wait);

/* timed_out: what the call returns then. What can come of taking the mutex once more, beside success, are errors of
 * robust mutexes, which C11 has none of. */
#define SHIM_COND_WAIT(res, cond, mutex, how, timed_out, call)                   \
	do {                                                                     \
		struct shim_cond_wait shim_wait;                                 \
		shim_cond_wait_begin(&shim_wait, cond, mutex, how, SHIM_SLOT()); \
		pthread_cleanup_push(shim_cond_wait_end, &shim_wait);            \
		shim_wait.result = (call);                                       \
		shim_wait.woken = shim_wait.result != (timed_out);               \
		pthread_cleanup_pop(1);                                          \
		(res) = shim_wait.retaken ? shim_wait.retaken : shim_wait.result; \
	} while (0)

#endif
