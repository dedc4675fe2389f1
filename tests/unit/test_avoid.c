/* The safety test of avoidance: textbook examples, against a brute-force model that tries every order on
 * random states and against banker.h's form of it, and that whoever asks for it before each grant never gets stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/avoid.h>
#include <detect/banker.h>

enum { THREADS = 6, RESOURCES = 4, STATES = 20000, RUNS = 300 };

static struct dt_avoid *fresh(const uint32_t *total, uint32_t resources)
{
	struct dt_avoid *a = calloc(1, sizeof *a);

	assert_non_null(a);
	for (uint32_t r = 0; r < resources; r++)
		a->total[r + 1] = total[r];
	return a;
}

static void set(struct dt_avoid *a, uint32_t t, uint32_t resources, const uint32_t *claim,
                const uint32_t *held)
{
	a->threads[t].count = resources;
	for (uint32_t r = 0; r < resources; r++)
		a->threads[t].needs[r] = (struct dt_avoid_need){r + 1, claim[r], held[r]};
	dt_avoid_enter(a, t);
}

/* Silberschatz, Galvin, Gagne, Operating System Concepts: five threads, three resources of 10, 5 and 7 units.
 */
static void test_textbook(void **state)
{
	static const uint32_t total[] = {10, 5, 7};
	static const uint32_t held[5][3] = {{0, 1, 0}, {2, 0, 0}, {3, 0, 2}, {2, 1, 1}, {0, 0, 2}};
	static const uint32_t claim[5][3] = {{7, 5, 3}, {3, 2, 2}, {9, 0, 2}, {2, 2, 2}, {4, 3, 3}};
	struct dt_avoid *a = fresh(total, 3);

	(void)state;
	for (uint32_t t = 0; t < 5; t++)
		set(a, t, 3, claim[t], held[t]);
	assert_int_equal(dt_avoid_stuck(a), 0);
	/* Thread 1 asks for (1, 0, 2): granted; then thread 4 for (3, 3, 0): not there; thread 0 for (0, 2,
	 * 0): unsafe. */
	assert_true(dt_avoid_grant(a, 1, 0, 1) && dt_avoid_grant(a, 1, 2, 2));
	assert_false(dt_avoid_grant(a, 4, 0, 3) && dt_avoid_grant(a, 4, 1, 3));
	a->threads[4].needs[0].held = 0;
	assert_false(dt_avoid_grant(a, 0, 1, 2));
	assert_int_equal(a->threads[0].needs[1].held, 1);
	assert_int_equal(dt_avoid_stuck(a), 0);
	free(a);
}

static void test_unit_locks(void **state)
{
	static const uint32_t total[] = {1, 1, 3, DT_AVOID_READERS}, none[4] = {0};
	static const uint32_t both[] = {1, 1, 0, 0}, pool[] = {0, 0, 2, 0}, reads[] = {1, 0, 0, 1};
	static const uint32_t writes[] = {1, 0, 0, DT_AVOID_READERS};
	struct dt_avoid *a = fresh(total, 4);

	(void)state;
	set(a, 0, 4, both, none);
	set(a, 1, 4, both, none);
	assert_true(dt_avoid_grant(a, 0, 0, 1));
	assert_false(dt_avoid_grant(a, 1, 1, 1)); /* the other lock: would close ABBA */
	assert_true(dt_avoid_grant(a, 0, 1, 1));
	assert_false(dt_avoid_grant(a, 1, 1, 1)); /* taken */
	dt_avoid_leave(a, 0);
	a->threads[0].count = 0;
	assert_true(dt_avoid_grant(a, 1, 1, 1));
	dt_avoid_leave(a, 1);
	/* Three units, three threads that need two: the third's first unit is one too many. */
	for (uint32_t t = 2; t < 5; t++)
		set(a, t, 4, pool, none);
	assert_true(dt_avoid_grant(a, 2, 2, 1) && dt_avoid_grant(a, 3, 2, 1));
	assert_false(dt_avoid_grant(a, 4, 2, 1));
	assert_true(dt_avoid_grant(a, 3, 2, 1));
	for (uint32_t t = 2; t < 5; t++)
		dt_avoid_leave(a, t);
	/* Readers share; a writer that needs the mutex too does not get in beside a reader that will want it.
	 */
	set(a, 6, 4, reads, none);
	set(a, 7, 4, reads, none);
	set(a, 8, 4, writes, none);
	assert_true(dt_avoid_grant(a, 6, 3, 1) && dt_avoid_grant(a, 7, 3, 1));
	assert_false(dt_avoid_grant(a, 8, 0, 1));
	free(a);
}

/* In an unsafe state: what no one else needs is given, what could be somebody's way out is not. */
static void test_unsafe(void **state)
{
	static const uint32_t total[] = {1, 1, 1, 1}, first[] = {1, 0, 0, 0}, second[] = {0, 1, 0, 0},
	                      none[4] = {0};
	static const uint32_t both[] = {1, 1, 1, 1}, third[] = {0, 0, 1, 0};
	struct dt_avoid *a = fresh(total, 4);

	(void)state;
	set(a, 0, 4, both, first);
	set(a, 1, 4, both, second);
	assert_int_equal(dt_avoid_stuck(a), 2);
	set(a, 2, 4, third, none);
	assert_int_equal(dt_avoid_stuck(a), 2);
	assert_false(dt_avoid_grant(a, 0, 2, 1)); /* then the third could not end */
	assert_true(dt_avoid_grant(a, 0, 3, 1));
	assert_false(dt_avoid_grant(a, 1, 3, 1)); /* not free */
	assert_true(dt_avoid_grant(a, 2, 2, 1));
	dt_avoid_leave(a, 2);
	assert_true(dt_avoid_grant(a, 0, 2, 1)); /* nobody is left whom it could harm */
	free(a);
}

/* Every order is tried. */
static bool model_safe(uint32_t threads, uint32_t resources, uint32_t (*claim)[RESOURCES],
                       uint32_t (*held)[RESOURCES], const int64_t *available, uint32_t ended)
{
	if (ended == (1u << threads) - 1)
		return true;
	for (uint32_t t = 0; t < threads; t++) {
		int64_t then[RESOURCES];
		bool can = !(ended >> t & 1);
		for (uint32_t r = 0; can && r < resources; r++) {
			can = (int64_t)claim[t][r] - held[t][r] <= available[r] || claim[t][r] <= held[t][r];
			then[r] = available[r] + held[t][r];
		}
		if (can && model_safe(threads, resources, claim, held, then, ended | 1u << t))
			return true;
	}
	return false;
}

/* The same by the report's form of the test. */
static uint32_t stuck_of_matrix(uint32_t threads, uint32_t resources, uint32_t (*claim)[RESOURCES],
                                uint32_t (*held)[RESOURCES], const int64_t *free_units)
{
	uint32_t available[RESOURCES], claims[THREADS * RESOURCES], allocation[THREADS * RESOURCES], order[THREADS];
	uint32_t work[DT_BANKER_WORK(THREADS, RESOURCES)];

	for (uint32_t r = 0; r < resources; r++)
		available[r] = (uint32_t)free_units[r];
	for (uint32_t t = 0; t < threads; t++) {
		for (uint32_t r = 0; r < resources; r++) {
			claims[t * resources + r] = claim[t][r];
			allocation[t * resources + r] = held[t][r];
		}
	}
	return dt_banker_stuck(&(struct dt_banker){threads, resources, available, allocation, claims}, order, work);
}

static void test_model(void **state)
{
	uint32_t safe = 0;

	(void)state;
	srand(4);
	struct dt_avoid *a = calloc(1, sizeof *a);
	assert_non_null(a);
	for (int i = 0; i < STATES; i++) {
		uint32_t threads = 1 + (uint32_t)rand() % THREADS,
		         resources = 1 + (uint32_t)rand() % RESOURCES;
		uint32_t claim[THREADS][RESOURCES], held[THREADS][RESOURCES];
		int64_t available[RESOURCES];
		memset(a->active, 0, sizeof a->active);
		for (uint32_t r = 0; r < resources; r++)
			available[r] = a->total[r + 1] = 1 + (uint32_t)rand() % 5;
		for (uint32_t t = 0; t < threads; t++) {
			for (uint32_t r = 0; r < resources; r++) {
				claim[t][r] = (uint32_t)rand() % (a->total[r + 1] + 1);
				held[t][r] = (uint32_t)rand() % (claim[t][r] + 1);
				if (held[t][r] > available[r])
					held[t][r] = (uint32_t)available[r];
				available[r] -= held[t][r];
			}
			set(a, t, resources, claim[t], held[t]);
		}
		bool wanted = model_safe(threads, resources, claim, held, available, 0);
		uint32_t stuck = dt_avoid_stuck(a);
		assert_int_equal(stuck == 0, wanted);
		assert_int_equal(stuck, stuck_of_matrix(threads, resources, claim, held, available));
		safe += wanted;
	}
	assert_in_range(safe, STATES / 10, STATES - STATES / 10);
	free(a);
}

/* Threads that take what they claimed one unit at a time, in any order: all of them end. */
static void test_never_stuck(void **state)
{
	(void)state;
	srand(5);
	for (int run = 0; run < RUNS; run++) {
		uint32_t total[RESOURCES], claim[THREADS][RESOURCES], none[RESOURCES] = {0}, left = THREADS;
		for (int r = 0; r < RESOURCES; r++)
			total[r] = 1 + (uint32_t)rand() % 3;
		struct dt_avoid *a = fresh(total, RESOURCES);
		for (uint32_t t = 0; t < THREADS; t++) {
			for (int r = 0; r < RESOURCES; r++)
				claim[t][r] = (uint32_t)rand() % (total[r] + 1);
			set(a, t, RESOURCES, claim[t], none);
		}
		for (int steps = 0; left; steps++) {
			assert_in_range(steps, 0, 100000);
			uint32_t t = (uint32_t)rand() % THREADS, lacking = 0;
			struct dt_avoid_thread *thread = &a->threads[t];
			if (!(a->active[0] >> t & 1))
				continue;
			for (uint32_t r = 0; r < RESOURCES; r++)
				lacking += thread->needs[r].claim - thread->needs[r].held;
			if (!lacking) {
				dt_avoid_leave(a, t);
				left--;
				continue;
			}
			uint32_t r = (uint32_t)rand() % RESOURCES;
			if (thread->needs[r].held < thread->needs[r].claim)
				dt_avoid_grant(a, t, r, 1);
			assert_int_equal(dt_avoid_stuck(a), 0);
		}
		free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_textbook),    cmocka_unit_test(test_unit_locks),
	    cmocka_unit_test(test_unsafe),      cmocka_unit_test(test_model),
	    cmocka_unit_test(test_never_stuck),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
