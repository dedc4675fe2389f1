/* The banker's test: the textbook's states, a safe sequence that can be followed, the stuck set of a
 * brute-force model that knows no worklists, and extreme numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/banker.h>

enum { THREADS = 7, RESOURCES = 5 };

static uint32_t test(const struct dt_banker *state, uint32_t *order)
{
	uint32_t *work = malloc(DT_BANKER_WORK(state->threads, state->resources) * sizeof *work);

	memset(work, 0xa5, DT_BANKER_WORK(state->threads, state->resources) * sizeof *work);
	uint32_t stuck = dt_banker_stuck(state, order, work);
	free(work);
	return stuck;
}

/* Silberschatz, Galvin, Gagne, "Operating System Concepts", 7.5.3. */
static const uint32_t claims[] = {7, 5, 3, 3, 2, 2, 9, 0, 2, 2, 2, 2, 4, 3, 3};

static void test_textbook(void **unused)
{
	static const uint32_t allocation[] = {0, 1, 0, 2, 0, 0, 3, 0, 2, 2, 1, 1, 0, 0, 2},
	                      available[] = {3, 3, 2};
	static const uint32_t granted[] = {0, 1, 0, 3, 0, 2, 3, 0, 2, 2, 1, 1, 0, 0, 2}, left[] = {2, 3, 0};
	static const uint32_t refused[] = {0, 3, 0, 3, 0, 2, 3, 0, 2, 2, 1, 1, 0, 0, 2}, rest[] = {2, 1, 0};
	uint32_t order[5];

	(void)unused;
	assert_int_equal(test(&(struct dt_banker){5, 3, available, allocation, claims}, order), 0);
	assert_int_equal(test(&(struct dt_banker){5, 3, left, granted, claims}, order), 0);
	assert_int_equal(test(&(struct dt_banker){5, 3, rest, refused, claims}, order), 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(order[i], i);
}

/* Readers take a unit each, a writer all of them. */
static void test_readers(void **unused)
{
	static const uint32_t reads[] = {1, 0, 0, 1}, both_want[] = {1, 1, 3, 1}, one_reads[] = {1, 1, 1, 1};
	static const uint32_t available[] = {2, 0};
	uint32_t order[2];

	(void)unused;
	assert_int_equal(test(&(struct dt_banker){2, 2, available, reads, both_want}, order), 2);
	assert_int_equal(test(&(struct dt_banker){2, 2, available, reads, one_reads}, order), 0);
	assert_int_equal(order[0], 1);
}

static void test_extremes(void **unused)
{
	static const uint32_t most = UINT32_MAX, none = 0, claim[] = {UINT32_MAX, UINT32_MAX};
	static const uint32_t allocation[] = {UINT32_MAX, UINT32_MAX - 1};
	uint32_t order[2];

	(void)unused;
	assert_int_equal(test(&(struct dt_banker){0, 0, NULL, NULL, NULL}, order), 0);
	assert_int_equal(test(&(struct dt_banker){1, 1, &none, &none, &most}, order), 1);
	assert_int_equal(test(&(struct dt_banker){1, 1, &none, &most, &none}, order), 0);
	assert_int_equal(test(&(struct dt_banker){2, 1, &none, allocation, claim}, order), 0);
	assert_int_equal(order[0], 0);
}

struct random_state {
	struct dt_banker state;
	uint32_t available[RESOURCES], allocation[THREADS * RESOURCES], claim[THREADS * RESOURCES];
};

static void make(struct random_state *s)
{
	uint32_t n = 1 + (uint32_t)rand() % THREADS, m = 1 + (uint32_t)rand() % RESOURCES;

	s->state = (struct dt_banker){n, m, s->available, s->allocation, s->claim};
	for (uint32_t r = 0; r < m; r++)
		s->available[r] = (uint32_t)rand() % 3;
	for (uint32_t i = 0; i < n * m; i++) {
		s->allocation[i] = (uint32_t)rand() % 3;
		s->claim[i] = (uint32_t)rand() % 5;
	}
}

static bool covered(const struct random_state *s, const uint32_t *free, uint32_t t)
{
	for (uint32_t r = 0; r < s->state.resources; r++) {
		uint32_t i = t * s->state.resources + r;
		if (s->claim[i] > s->allocation[i] + free[r])
			return false;
	}
	return true;
}

/* Round and round; the bits of those that are left. */
static uint32_t model(const struct random_state *s)
{
	uint32_t left = (1u << s->state.threads) - 1, free[RESOURCES], before;

	memcpy(free, s->available, sizeof free);
	do {
		before = left;
		for (uint32_t t = 0; t < s->state.threads; t++) {
			if (!(left >> t & 1) || !covered(s, free, t))
				continue;
			left &= ~(1u << t);
			for (uint32_t r = 0; r < s->state.resources; r++)
				free[r] += s->allocation[t * s->state.resources + r];
		}
	} while (left != before);
	return left;
}

static void test_model(void **unused)
{
	uint32_t unsafe = 0;

	(void)unused;
	srand(65);
	for (int round = 0; round < 100000; round++) {
		struct random_state s;
		uint32_t order[THREADS], free[RESOURCES], stuck_bits = 0;
		make(&s);
		uint32_t stuck = test(&s.state, order), n = s.state.threads;
		memcpy(free, s.available, sizeof free);
		for (uint32_t i = 0; i < n - stuck; i++) {
			assert_true(covered(&s, free, order[i]));
			for (uint32_t r = 0; r < s.state.resources; r++)
				free[r] += s.allocation[order[i] * s.state.resources + r];
		}
		for (uint32_t i = n - stuck; i < n; i++)
			stuck_bits |= 1u << order[i];
		assert_int_equal(stuck_bits, model(&s));
		unsafe += stuck != 0;
	}
	assert_in_range(unsafe, 10000, 90000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_textbook),
	    cmocka_unit_test(test_readers),
	    cmocka_unit_test(test_extremes),
	    cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
