/* pool.h: a server's workers. Each handles requests with a connection from a pool, and a nested request takes a second
 * one. The nested ones come one at a time; then each worker has a plain one, all at the same moment. Nothing hangs, but
 * had those been nested, three workers with three connections would. The steps are seen by no detector. */
#ifndef POOL_H
#define POOL_H

#include <sched.h>
#include <stdlib.h>

enum { WORKERS = 3 };

static int turn, met;

/* By the library. */
static void connect_one(void);
static void disconnect_one(void);

static inline int now(const int *step)
{
	return __atomic_load_n(step, __ATOMIC_ACQUIRE);
}

static __attribute__((noinline)) void handle(int nested)
{
	connect_one();
	if (nested) {
		connect_one();
		disconnect_one();
	} else {
		__atomic_fetch_add(&met, 1, __ATOMIC_ACQ_REL);
		while (now(&met) < WORKERS)
			sched_yield();
	}
	disconnect_one();
}

static inline void work(int me)
{
	for (volatile int nested = 1; nested >= 0; nested--) {
		while (now(&turn) != (nested ? me : WORKERS))
			sched_yield();
		handle(nested);
		if (nested)
			__atomic_fetch_add(&turn, 1, __ATOMIC_ACQ_REL);
	}
}

/* Connections: the first argument. */
static inline unsigned connections(int argc, char **argv)
{
	return argc > 1 ? (unsigned)atoi(argv[1]) : WORKERS;
}

#endif
