/* crossed.h: two locks of a library, which two threads take one under the other, first one thread and then the other; then
 * each has its first at the same moment. With `ordered` as the argument both take them in one order. */
#ifndef CROSSED_H
#define CROSSED_H

#include <sched.h>
#include <stdbool.h>
#include <string.h>

static int turn, met;

/* By the library: lock 0 or 1, for the thread's first or second. */
static void take(int which, bool first);
static void give(int which, bool first);

static inline int now(const int *step)
{
	return __atomic_load_n(step, __ATOMIC_ACQUIRE);
}

static __attribute__((noinline)) void both(int first, bool deep, bool ordered)
{
	take(first, true);
	if (deep) {
		take(1 - first, false);
		give(1 - first, false);
	} else {
		__atomic_fetch_add(&met, 1, __ATOMIC_ACQ_REL);
		while (now(&met) < 2 && !ordered)
			sched_yield();
	}
	give(first, true);
}

static bool ordered;

static inline void work(int me)
{
	for (volatile int deep = 1; deep >= 0; deep--) {
		while (now(&turn) != (deep ? me : 2))
			sched_yield();
		both(ordered ? 0 : me, deep, ordered);
		if (deep)
			__atomic_fetch_add(&turn, 1, __ATOMIC_ACQ_REL);
	}
}

static inline void read_arguments(int argc, char **argv)
{
	ordered = argc > 1 && strcmp(argv[1], "ordered") == 0;
}

#endif
