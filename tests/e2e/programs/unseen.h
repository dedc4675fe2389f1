/* unseen.h: steps that force a schedule and that no detector sees, not even in code that is watched for data
 * races: made of what is not instrumented. step(n): wait until n steps were made, then make the next one. */
#ifndef UNSEEN_H
#define UNSEEN_H

#include <sched.h>

#define UNSEEN __attribute__((no_sanitize("thread"), noinline))

static int steps;

UNSEEN static void step(int n)
{
	int seen;
	do {
		__asm__ volatile("movl %1, %0" : "=r"(seen) : "m"(steps) : "memory");
		if (seen != n)
			sched_yield();
	} while (seen != n);
	__asm__ volatile("lock incl %0" : "+m"(steps) : : "memory");
}

#endif
