/* block.h: a call that would block.
 *
 * A hook tries first; only when that fails does it come here:
 *
 *   struct shim_block block;
 *   if (!shim_block_begin(&block, t, &wait))   published; the wait-for graph was walked
 *           return EDEADLK;                    on_deadlock=break, and this call closed a cycle
 *   result = real call that blocks;
 *   shim_block_end(&block);
 *
 * Waits that are cancellation points end in a cleanup handler (SHIM_BLOCKING_CANCELLABLE).
 * Memory: the block lies on the caller's stack. Threads: any. errno is kept. Costs two clock reads, the
 * copy of what is held, and a walk when something is held. */
#ifndef SHIM_BLOCK_H
#define SHIM_BLOCK_H

#include <pthread.h>
#include <time.h>

#include "board.h"
#include "shim.h"

struct shim_wait {
	enum dt_op op;
	uint32_t how;          /* enum shim_how: kind, shared, timed */
	const void *object;    /* joins: NULL */
	const void *mutex;     /* condition waits: the mutex */
	uint32_t context;      /* of the call */
	uint32_t other_thread; /* joins */
	bool final;            /* the call has no way to fail: on_deadlock=break can't refuse it */
};

struct shim_block {
	struct shim_thread *thread;
	struct dt_board_slot *slot; /* NULL: not published */
	struct dt_board_slot outer; /* what a handler interrupted: another block of this thread */
	bool nested;
	bool stuck;        /* counted in shim_board_stuck */
	bool said_long;    /* long_wait: told while it lasted */
	int refusal;       /* lock_timeout: the call is to fail with that error; 0: not */
	uint64_t begin_ns; /* 0: not measured */
	uint64_t look_ns;  /* how long it has waited when unit_circle.c looks next; 0: never */
	struct shim_wait wait;
};

/* False: do not block, the program asked for EDEADLK instead. */
bool shim_block_begin(struct shim_block *block, struct shim_thread *t, const struct shim_wait *wait);
void shim_block_end(struct shim_block *block);
/* Show the calling thread as held back before a call (steer.h). False: nothing can be shown. */
bool shim_block_hold_back(struct shim_block *block, struct shim_thread *t, const struct shim_wait *wait);
void shim_block_let_go(struct shim_block *block);
/* shim_block_end as a cleanup handler. */
void shim_block_cleanup(void *block);

uint64_t shim_now_ns(void);

/* The context of an entry of the held stack that is wanted; 0: none. */
static inline uint32_t shim_context_of(const struct shim_thread *t, uint32_t index)
{
	return index == SHIM_NO_ENTRY ? 0 : t->held[index].context;
}

/* The context of the call at `slot`; 0 while nothing is recorded. */
static inline uint32_t shim_context_now(struct shim_thread *t, uintptr_t slot)
{
	return t->capacity && !t->busy ? shim_context_find(t, slot)->id : 0;
}

/* A wait for a lock whose entry on the held stack is `index`. */
#define SHIM_WAIT_FOR(t, lock, what, index)                                                                  \
	&(const struct shim_wait)                                                                            \
	{                                                                                                    \
		.op = DT_OP_ACQUIRE, .how = (what), .object = (const void *)(lock),                          \
		.context = shim_context_of(t, index)                                                         \
	}

/* A wait for the end of a thread, by its id in the log (0: not observed). */
#define SHIM_WAIT_TO_JOIN(t, id, what, slot)                                                                 \
	&(const struct shim_wait)                                                                            \
	{                                                                                                    \
		.op = DT_OP_JOIN, .how = (what), .context = shim_context_now(t, slot), .other_thread = (id)  \
	}

/* result = call, as a published wait; or what a refused call returns. */
#define SHIM_BLOCKING(result, t, wait, refused, call)                                                        \
	do {                                                                                                 \
		struct shim_block shim_b;                                                                    \
		if (shim_block_begin(&shim_b, t, wait)) {                                                    \
			(result) = (call);                                                                   \
			shim_block_end(&shim_b);                                                             \
		} else {                                                                                     \
			(result) = (refused);                                                                \
		}                                                                                            \
	} while (0)

/* The same around a cancellation point. */
#define SHIM_BLOCKING_CANCELLABLE(result, t, wait, refused, call)                                            \
	do {                                                                                                 \
		struct shim_block shim_b;                                                                    \
		if (shim_block_begin(&shim_b, t, wait)) {                                                    \
			pthread_cleanup_push(shim_block_cleanup, &shim_b);                                   \
			(result) = (call);                                                                   \
			pthread_cleanup_pop(1);                                                              \
		} else {                                                                                     \
			(result) = (refused);                                                                \
		}                                                                                            \
	} while (0)

/* A wait for a unit of a semaphore that may be a lock: a look for a circle now and then. */
void shim_block_look_for_units(struct shim_block *block);

/* `long_wait`, `lock_timeout` and such looks: the time, by CLOCK_REALTIME, at which the next limit of a wait without one
 * of its own is over. False: there is none (left). */
bool shim_block_limit(const struct shim_block *block, struct timespec *deadline);
/* It is over. False: the call is to fail with `refusal`: EDEADLK when the wait is one of a closed circle of waits, else
 * ETIMEDOUT. */
bool shim_block_limit_over(struct shim_block *block);

/* A wait without a limit, under those that the user gave: `timed` waits until `deadline` and answers
 * `timed_out` then, `endless` does what the program asked for. */
#define SHIM_ENDLESS(result, block, deadline, is_timed_out, timed, endless)                                  \
	do {                                                                                                 \
		struct timespec deadline;                                                                    \
		bool shim_go = true, shim_done = false;                                                      \
		while (shim_go && !shim_done && SHIM_UNLIKELY(shim_block_limit(block, &deadline))) {         \
			(result) = (timed);                                                                  \
			shim_done = !(is_timed_out);                                                         \
			shim_go = shim_done || shim_block_limit_over(block);                                 \
		}                                                                                            \
		if (shim_go && !shim_done)                                                                   \
			(result) = (endless);                                                                \
	} while (0)

#endif
