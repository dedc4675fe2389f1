/* case.h: programs of the end-to-end tests. Each has several cases, chosen by its first argument,
 * and forces its schedule by steps that the shim does not see: an atomic counter, no calls that are
 * interposed. Included once by each program, from C or C++.
 *
 *   step(n)               wait until n steps were made, then make the next one
 *   in_turn(f, g, ...)    one thread for each, alive at once, run one after the other and joined; the
 *                         threads are not ordered by anything that a detector may take for order
 *   CHECK(condition)      end with status 3 and a line when it does not hold
 *   CASES(...)            main: {"name", function} rows */
#ifndef CASE_H
#define CASE_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static int steps_made;

static inline void step(int n)
{
	while (__atomic_load_n(&steps_made, __ATOMIC_ACQUIRE) != n)
		sched_yield();
	__atomic_store_n(&steps_made, n + 1, __ATOMIC_RELEASE);
}

enum { TURNS_MAX = 8 };

struct turn {
	void (*routine)(void);
	int step;
};

static inline void *take_turn(void *argument)
{
	struct turn *turn = (struct turn *)argument;

	step(turn->step);
	turn->routine();
	step(turn->step + 1);
	return NULL;
}

static inline void run_in_turn(void (*const routines[])(void), int count)
{
	pthread_t threads[TURNS_MAX];
	struct turn turns[TURNS_MAX];
	int base = __atomic_load_n(&steps_made, __ATOMIC_ACQUIRE);

	CHECK(count <= TURNS_MAX);
	for (int i = 0; i < count; i++) {
		turns[i].routine = routines[i];
		turns[i].step = base + 2 * i + 1;
		CHECK(pthread_create(&threads[i], NULL, take_turn, &turns[i]) == 0);
	}
	step(base); /* all are there */
	for (int i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

#define in_turn(...)                                                                                         \
	do {                                                                                                 \
		void (*const routines_[])(void) = {__VA_ARGS__};                                             \
		run_in_turn(routines_, (int)(sizeof(routines_) / sizeof(*routines_)));                       \
	} while (0)

struct test_case {
	const char *name;
	void (*run)(void);
};

static inline int run_case(const struct test_case *cases, int count, int argc, char **argv)
{
	for (int i = 0; i < count; i++) {
		if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	for (int i = 0; i < count; i++)
		fprintf(stderr, "%s\n", cases[i].name);
	return 2;
}

#define CASES(...)                                                                                           \
	int main(int argc, char **argv)                                                                      \
	{                                                                                                    \
		static const struct test_case cases_[] = {__VA_ARGS__};                                      \
		return run_case(cases_, (int)(sizeof(cases_) / sizeof(*cases_)), argc, argv);                \
	}

#endif
