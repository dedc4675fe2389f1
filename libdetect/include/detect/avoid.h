/* avoid.h: may this grant be made? The safety test of deadlock avoidance, in the form the shim needs it: in
 * place, no allocation, on what the threads hold at this moment.
 *
 * A state is safe when the threads that are in a section can end it in some order, each with what is free by
 * then. Threads outside of any section, and sections that never need a second unit, end without help and are
 * not kept here.
 *
 * Memory: the caller's; zeroed memory is a good beginning. Threads: one tester at a time; `held` may shrink
 * meanwhile, and a thread may leave (dt_avoid_leave) at any time: what the test then calls safe is safe. */
#ifndef DETECT_AVOID_H
#define DETECT_AVOID_H

#include <stdbool.h>
#include <stdint.h>

enum {
	DT_AVOID_THREADS = 1024,      /* in sections at once */
	DT_AVOID_RESOURCES = 1 << 16, /* resource 0 is none */
	DT_AVOID_NEEDS = 32,          /* resources that one section needs */
	DT_AVOID_READERS = 1 << 16    /* units of an rwlock: one to read, all to write */
};

/* What a section needs of one resource at most, and what its thread has of it. */
struct dt_avoid_need {
	uint32_t resource, claim, held;
};

struct dt_avoid_thread {
	uint32_t count;
	struct dt_avoid_need needs[DT_AVOID_NEEDS];
};

struct dt_avoid {
	uint32_t total[DT_AVOID_RESOURCES]; /* units */
	uint64_t active[DT_AVOID_THREADS / 64];
	struct dt_avoid_thread threads[DT_AVOID_THREADS];
	/* The test's own: */
	int64_t available[DT_AVOID_RESOURCES];
	uint32_t round, stamp[DT_AVOID_RESOURCES]; /* stamp: the round that available and parked are of */
	uint16_t parked[DT_AVOID_RESOURCES], next[DT_AVOID_THREADS]; /* thread number plus one */
	uint16_t work[DT_AVOID_THREADS];
	uint32_t held[DT_AVOID_THREADS][DT_AVOID_NEEDS]; /* as it was when the test began */
};

/* The thread is in a section (its needs are set), or no longer. */
void dt_avoid_enter(struct dt_avoid *a, uint32_t thread);
void dt_avoid_leave(struct dt_avoid *a, uint32_t thread);

/* How many of the threads can't end; 0: the state is safe. Costs one look at each need, and one more for each
 * time that a resource comes free which a thread was found to lack. */
uint32_t dt_avoid_stuck(struct dt_avoid *a);

/* Give the thread `units` more of its need number `at` when so many are free and no thread that can end could
 * not end then: in a safe state, when the state stays safe; in an unsafe one (claims were wrong, or patience
 * has ended) what is of no harm to the others. False: nothing has changed. */
bool dt_avoid_grant(struct dt_avoid *a, uint32_t thread, uint32_t at, uint32_t units);

/* What is free now, of a resource that a thread in a section needs: by the last dt_avoid_stock, as long as
 * nothing is tested or granted after it. */
void dt_avoid_stock(struct dt_avoid *a);
static inline int64_t dt_avoid_free(const struct dt_avoid *a, uint32_t resource)
{
	return a->available[resource];
}

#endif
