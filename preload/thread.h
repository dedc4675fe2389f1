/* thread.h: threads and their must-happen-before segments.
 *
 * Memory: a thread's remembered contexts and tags lie in a block that the next thread takes over. What it holds and
 * has declared lies apart, where the child of a fork has it still; others may read it, since it is never unmapped.
 * Threads: a struct shim_thread belongs to its own; the block list and the segment numbers are
 * lock-free. Failure: without memory a thread is not observed. */
#ifndef SHIM_THREAD_H
#define SHIM_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "declare.h"
#include "shim.h"

struct shim_start {
	void *(*routine)(void *);
	int (*routine_c11)(void *);
	void *argument;
	uint32_t id, segment, parent, context, process;
	_Atomic uint32_t handover; /* who may look at the creator's pthread_t: thread.c */
};

struct shim_shown {
	_Alignas(128) struct shim_held held[1 + SHIM_HELD_INLINE]; /* the first holds nothing; lines are fetched in pairs */
	struct shim_claims claims;
};

struct shim_thread_block {
	struct shim_thread_block *next;
	struct shim_start start;
	struct shim_shown *shown;
	struct shim_context contexts[SHIM_CONTEXTS];
	struct shim_context handler_contexts[SHIM_CONTEXTS];  /* of handlers: what they interrupt may be using its own */
	struct shim_allocation allocations[SHIM_ALLOCATIONS];
	/* Larger tables of tags, each four times the one before. An older one stays mapped while the
	 * thread lives: the code that a handler interrupted may be reading it. */
	uint32_t *grown[SHIM_TAG_GROWTHS];
	struct shim_held *held_more;  /* for many locks held at once: never unmapped, others may be reading it */
	uint32_t board_slot;       /* plus one; 0: none yet in this process */
	uint32_t zero;
	uintptr_t onces[SHIM_ONCES_KNOWN];  /* once calls this thread has returned from */
	uint32_t tags[SHIM_TAGS];
};

static inline uint32_t shim_grown_tags(int growth)
{
	return (uint32_t)SHIM_TAGS << 2 * (growth + 1);
}

bool shim_threads_open(void);
void shim_threads_forked(void);

/* Give the calling thread its id, first segment and records in this process. */
void shim_thread_register(struct shim_thread *t);

/* The creating side: a block that says what the new thread is; NULL when not recording. */
struct shim_thread_block *shim_thread_prepare(struct shim_thread *t, uintptr_t slot);
/* The create call returned: thread NULL when it failed. The block is the new thread's by then. */
void shim_thread_created(struct shim_thread *t, struct shim_thread_block *block, const pthread_t *thread,
                         uint32_t id);
/* The created side: take the block over, before the program's routine runs. */
void shim_thread_begin(struct shim_thread_block *block);
/* The calling thread was started by the C library, for what `start` says (its id aside); `ordered`: it comes
 * after that segment. */
void shim_thread_begin_by_itself(const struct shim_start *start, bool ordered);

/* The id of the thread behind a handle that may still be joined; 0: not observed. */
uint32_t shim_thread_id_of(pthread_t handle);
/* The calling thread joined thread `id`. */
void shim_thread_joined(struct shim_thread *t, uint32_t id);

/* pthread_cancel was called for it: its wait may be over. */
void shim_thread_cancelled(uint32_t id);
bool shim_thread_is_cancelled(uint32_t id);

/* Segments. A meeting point is a segment of no thread. */
uint32_t shim_segment_meeting(void);
void shim_segment_arrive(struct shim_thread *t, uint32_t meeting);
/* Segment `id` of `thread` comes after `pred` too. */
void shim_segment_order(uint32_t id, uint32_t thread, uint32_t pred);
/* Its segment or its signals have changed. */
void shim_salt_renew(struct shim_thread *t);
/* The calling thread's next segment, after its last one and after `pred` (0: nothing else). */
void shim_segment_next(struct shim_thread *t, uint32_t pred);

#endif
