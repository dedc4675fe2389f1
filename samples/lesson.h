/* lesson.h: a barrier that a deadlock detector does not see.
 *
 * The lessons force the lucky schedule in which their bug does no harm, so that they end by
 * themselves every time. A real barrier would order the threads, and then there would be no bug.
 * So this one is made of an atomic counter and sched_yield only, and no tool takes it for
 * synchronisation.
 *
 *   lesson_step(n)   wait until n steps were made, then make the next one
 *
 *   lesson_steps_made()   how many were made
 *
 * With LESSON_FREE in the environment a step waits for its turn for a moment only, so that luck alone keeps
 * the bug from doing harm: for `detect confirm`, which makes it happen.
 *
 * Steps are made in the order 0, 1, 2, …, each by one thread. One program, one source file: the
 * counter is the file's own. */
#ifndef LESSON_H
#define LESSON_H

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum { LESSON_MOMENT_MS = 50 };

static int lesson_steps;

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LESSON_IS_WATCHED
#endif
#elif defined(__SANITIZE_THREAD__)
#define LESSON_IS_WATCHED
#endif

#ifdef LESSON_IS_WATCHED
/* Where the compiler reports each access and each atomic operation, only assembler goes unseen. */
static inline void lesson_step(int n)
{
	int made;

	for (;;) {
		__asm__ volatile("movl %1, %0" : "=r"(made) : "m"(lesson_steps) : "memory");
		if (made == n)
			break;
		sched_yield();
	}
	__asm__ volatile("lock incl %0" : "+m"(lesson_steps) : : "memory");
}
#else
static inline void lesson_step(int n)
{
	int free_ms = getenv("LESSON_FREE") ? LESSON_MOMENT_MS : 0;
	int waited_ms = 0;

	while (__atomic_load_n(&lesson_steps, __ATOMIC_ACQUIRE) != n && !(free_ms && waited_ms == free_ms)) {
		if (free_ms) {
			usleep(1000);
			waited_ms++;
		} else {
			sched_yield();
		}
	}
	__atomic_store_n(&lesson_steps, n + 1, __ATOMIC_RELEASE);
}
#endif

static inline int lesson_steps_made(void)
{
	return __atomic_load_n(&lesson_steps, __ATOMIC_ACQUIRE);
}

#endif
