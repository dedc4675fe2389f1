/* The lock-order check as a whole: sizes that must not explode, and what counts as one bug. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/check.h>

#include "cpu_time.h"
#include "maker.h"

struct totals {
	uint32_t warnings, notes, filtered;
	uint32_t last_count, last_locks;
	enum dt_reason last_reason;
};

static void count(void *context, const struct dt_finding *finding)
{
	struct totals *totals = context;

	totals->warnings += !finding->filtered && finding->level == DT_LEVEL_WARNING;
	totals->notes += !finding->filtered && finding->level == DT_LEVEL_NOTE;
	totals->filtered += finding->filtered;
	totals->last_count = finding->count;
	totals->last_locks = finding->lock_count;
	totals->last_reason = finding->reason;
}

static struct totals analyse(struct maker *m, const struct dt_check_options *options, bool *bounded)
{
	static const struct dt_check_options defaults;
	struct totals totals = {0};
	struct dt_analysis analysis;

	assert_int_equal(dt_facts_settle(m->facts), DT_OK);
	assert_int_equal(dt_facts_dangling(m->facts), 0);
	assert_int_equal(
	    dt_analyse(m->facts, &dt_alloc_libc, options ? options : &defaults, count, &totals, &analysis),
	    DT_OK);
	if (bounded)
		*bounded = analysis.bounded;
	else
		assert_false(analysis.bounded);
	return totals;
}

/* Every sighting to the live check, and nothing more. */
static struct totals feed_all(struct maker *m)
{
	static const struct dt_check_options options;
	struct totals totals = {0};
	struct dt_check_state *check;

	assert_int_equal(dt_facts_settle(m->facts), DT_OK);
	assert_int_equal(dt_checks[0]->open(&check, m->facts, &dt_alloc_libc, &options, count, &totals),
	                 DT_OK);
	for (uint32_t i = 0; i < dt_facts_acq_count(m->facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(m->facts, i);
		for (uint32_t j = 0; j < acq->segment_count; j++)
			assert_int_equal(dt_checks[0]->feed(check, acq->id, acq->segments[j]), DT_OK);
	}
	dt_checks[0]->close(check);
	return totals;
}

static void locks_and_stacks(struct maker *m, uint32_t locks, uint32_t stacks)
{
	for (uint32_t i = 1; i <= locks; i++)
		maker_lock(m, i, DT_LOCK_MUTEX, 0);
	for (uint32_t i = 1; i <= stacks; i++)
		maker_stack(m, i);
}

/* `segment` takes `first` at stack `at`, then `second` at the next stack. */
static void nest(struct maker *m, uint32_t segment, uint32_t first, uint32_t second, uint32_t at)
{
	uint32_t outer = maker_acq(m, 0, first, at), inner = maker_acq(m, outer, second, at + 1);

	maker_see(m, outer, segment);
	maker_see(m, inner, segment);
}

/* Philosopher i takes fork i and then the next one. */
static void seat_philosophers(struct maker *m, uint32_t forks, bool same_code)
{
	locks_and_stacks(m, forks, 2 * forks);
	for (uint32_t i = 1; i <= forks; i++)
		nest(m, maker_thread(m, i, 0), i, i % forks + 1, same_code ? 1 : 2 * i - 1);
}

static void test_philosophers_are_one_finding(void **state)
{
	static const uint32_t forks[] = {2, 3, 5, 16, 17, 50, 300};

	(void)state;
	for (size_t i = 0; i < sizeof forks / sizeof *forks; i++) {
		for (int same_code = 0; same_code < 2; same_code++) {
			struct maker m;
			maker_begin(&m);
			seat_philosophers(&m, forks[i], same_code);
			struct totals totals = analyse(&m, NULL, NULL);
			assert_int_equal(totals.warnings, 1);
			assert_int_equal(totals.notes, 0);
			assert_int_equal(totals.last_locks, forks[i]);
			assert_int_equal(totals.last_count, 1);
			maker_end(&m);
		}
	}
}

static void test_500_pairs_of_objects_are_one_bug(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	locks_and_stacks(&m, 1000, 4);
	uint32_t one = maker_thread(&m, 1, 0), two = maker_thread(&m, 2, 0);
	for (uint32_t i = 1; i <= 1000; i += 2) {
		nest(&m, one, i, i + 1, 1);
		nest(&m, two, i + 1, i, 3);
	}
	struct totals totals = analyse(&m, NULL, NULL);
	assert_int_equal(totals.warnings, 1);
	assert_int_equal(totals.notes + totals.filtered, 0);
	assert_int_equal(totals.last_count, 500);
	maker_end(&m);
}

/* One of the 500 pairs is real, the others are ordered: it comes out, and counts one. */
static void test_one_real_instance_among_filtered_ones(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	locks_and_stacks(&m, 1000, 4);
	uint32_t one = maker_thread(&m, 1, 0), two = maker_thread(&m, 2, one), three = maker_thread(&m, 3, 0);
	for (uint32_t i = 1; i <= 1000; i += 2) {
		nest(&m, one, i, i + 1, 1);
		nest(&m, i == 777 ? three : two, i + 1, i, 3);
	}
	struct totals totals = analyse(&m, &(struct dt_check_options){.want_filtered = true}, NULL);
	assert_int_equal(totals.warnings, 1);
	assert_int_equal(totals.notes + totals.filtered, 0);
	assert_int_equal(totals.last_count, 1);
	maker_end(&m);
}

/* Two threads of different code take random pairs in both orders among 100 locks. */
static void test_a_dense_tangle_is_one_bug(void **state)
{
	struct maker m;

	(void)state;
	srand(1);
	maker_begin(&m);
	locks_and_stacks(&m, 100, 4);
	uint32_t segment[2] = {maker_thread(&m, 1, 0), maker_thread(&m, 2, 0)};
	for (int i = 0; i < 20000; i++) {
		uint32_t a = 1 + (uint32_t)rand() % 100, b = 1 + (uint32_t)rand() % 100,
		         who = (uint32_t)i % 2;
		if (a != b)
			nest(&m, segment[who], a, b, 1 + 2 * who);
	}
	double start = cpu_seconds();
	struct totals totals = analyse(&m, NULL, NULL);
	assert_true(cpu_seconds() - start < ENDS_WITHIN);
	/* That each inverts its own order as well is no other bug. */
	assert_int_equal(totals.warnings, 1);
	assert_int_equal(totals.notes, 0);
	start = cpu_seconds();
	assert_int_equal(feed_all(&m).warnings, 1);
	assert_true(cpu_seconds() - start < ENDS_WITHIN);
	maker_end(&m);
}

/* The same with many threads, each of its own code, and a gate around it all: nothing is found, however many
 * cycles there are, and the search ends. */
static void test_a_gated_tangle_ends(void **state)
{
	struct maker m;
	bool bounded;

	(void)state;
	srand(2);
	maker_begin(&m);
	locks_and_stacks(&m, 101, 64);
	for (uint32_t thread = 1; thread <= 20; thread++) {
		uint32_t segment = maker_thread(&m, thread, 0);
		for (int i = 0; i < 500; i++) {
			uint32_t a = 1 + (uint32_t)rand() % 100, b = 1 + (uint32_t)rand() % 100;
			if (a == b)
				continue;
			uint32_t gate = maker_acq(&m, 0, 101, 50),
			         outer = maker_acq(&m, gate, a, 2 * thread - 1);
			maker_see(&m, maker_acq(&m, outer, b, 2 * thread), segment);
		}
	}
	double start = cpu_seconds();
	struct totals totals = analyse(&m, NULL, &bounded);
	assert_true(cpu_seconds() - start < ENDS_WITHIN);
	assert_int_equal(totals.warnings, 0);
	start = cpu_seconds();
	assert_int_equal(feed_all(&m).warnings, 0);
	double took = cpu_seconds() - start;
	print_message("one by one: %.2f s\n", took);
	assert_true(took < ENDS_WITHIN);
	maker_end(&m);
}

/* A tangle too large to search through is searched to the bound, which is said. Pairs are found. */
static void test_the_bound_is_said(void **state)
{
	struct maker m;
	bool bounded;

	(void)state;
	srand(3);
	maker_begin(&m);
	locks_and_stacks(&m, 61, 400);
	/* Fifteen layers of four locks, each lock before all of the next layer, and the last before the
	 * first: no cycle is shorter than 15, and there are 4^15 of them. */
	for (uint32_t thread = 1; thread <= 16; thread++) {
		uint32_t segment = maker_thread(&m, thread, 0);
		for (uint32_t layer = 0; layer < 15; layer++)
			for (uint32_t i = 0; i < 4; i++)
				for (uint32_t j = 0; j < 4; j++)
					if (thread < 15 || layer == 0)
						nest(&m, segment, 1 + layer * 4 + i,
						     1 + (layer + 1) % 15 * 4 + j,
						     1 + (thread + layer) % 16 * 8);
	}
	struct dt_check_options options = {.max_search_steps = 2000};
	analyse(&m, &options, &bounded);
	assert_true(bounded);
	maker_end(&m);
	maker_begin(&m);
	locks_and_stacks(&m, 2, 4);
	nest(&m, maker_thread(&m, 1, 0), 1, 2, 1);
	nest(&m, maker_thread(&m, 2, 0), 2, 1, 3);
	assert_int_equal(analyse(&m, &options, NULL).warnings, 1);
	maker_end(&m);
}

static void test_half_a_million_acquisitions_in_order(void **state)
{
	enum { LOCKS = 1000, ACQUISITIONS = 500000 };
	struct maker m;
	uint32_t made = 0;

	(void)state;
	srand(4);
	maker_begin(&m);
	locks_and_stacks(&m, LOCKS, 100);
	uint32_t segment[8];
	for (uint32_t i = 0; i < 8; i++)
		segment[i] = maker_thread(&m, i + 1, 0);
	while (made < ACQUISITIONS) {
		/* Up to four locks, ascending. */
		uint32_t node = 0, lock = 0;
		for (int depth = 0; depth < 4; depth++, made++) {
			lock += 1 + (uint32_t)rand() % 300;
			if (lock > LOCKS)
				break;
			node = maker_acq(&m, node, lock, 1 + (uint32_t)rand() % 100);
			maker_see(&m, node, segment[rand() % 8]);
		}
	}
	double start = cpu_seconds();
	struct totals totals = analyse(&m, NULL, NULL);
	double took = cpu_seconds() - start;
	print_message("%u acquisitions: %.2f s\n", made, took);
	assert_true(took < ENDS_WITHIN);
	start = cpu_seconds();
	struct totals live = feed_all(&m);
	took = cpu_seconds() - start;
	print_message("the same one by one: %.2f s\n", took);
	assert_true(took < ENDS_WITHIN);
	assert_int_equal(live.warnings, 0);
	assert_int_equal(totals.warnings + totals.notes + totals.filtered, 0);
	maker_end(&m);
}

/* A thousand locks held at once: as many edges as pairs, but a chain is no cycle. */
static void test_a_deep_chain(void **state)
{
	struct maker m;
	uint32_t node = 0;

	(void)state;
	maker_begin(&m);
	locks_and_stacks(&m, 5000, 1);
	uint32_t segment = maker_thread(&m, 1, 0), other = maker_thread(&m, 2, 0);
	for (uint32_t i = 1; i <= 5000; i++)
		maker_see(&m, node = maker_acq(&m, node, i, 1), segment);
	double start = cpu_seconds();
	struct totals totals = analyse(&m, NULL, NULL);
	assert_int_equal(totals.warnings, 0);
	assert_true(cpu_seconds() - start < ENDS_WITHIN);
	/* And then one inversion at the ends: the shortest cycle is the pair. */
	uint32_t outer = maker_acq(&m, 0, 5000, 1);
	maker_see(&m, maker_acq(&m, outer, 1, 1), other);
	bool bounded;
	totals = analyse(&m, NULL, &bounded);
	assert_int_equal(totals.warnings, 1);
	assert_int_equal(totals.last_locks, 2);
	assert_true(bounded);
	maker_end(&m);
}

/* A pair of locks nested at 20 places one way and 20 the other: not 400 findings. */
static void test_many_places_at_one_pair(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	locks_and_stacks(&m, 2, 100);
	uint32_t one = maker_thread(&m, 1, 0), two = maker_thread(&m, 2, 0);
	for (uint32_t i = 0; i < 20; i++) {
		nest(&m, one, 1, 2, 1 + 2 * i);
		nest(&m, two, 2, 1, 51 + 2 * i);
	}
	struct totals totals = analyse(&m, NULL, NULL);
	assert_in_range(totals.warnings, 20, 40);
	maker_end(&m);
}

/* Thousands of threads, each joined before the next is created, take the locks one way and their creator
 * in between the other way: all in order, and to find that out ends. 64 of them are all looked at. */
static void test_many_ordered_sightings(void **state)
{
	(void)state;
	for (uint32_t threads = 64; threads <= 4096; threads *= 64) {
		struct maker m;
		bool bounded;
		maker_begin(&m);
		locks_and_stacks(&m, 2, 4);
		uint32_t one = maker_thread(&m, 1, 0);
		uint32_t way = maker_acq(&m, maker_acq(&m, 0, 1, 1), 2, 2);
		uint32_t other = maker_acq(&m, maker_acq(&m, 0, 2, 3), 1, 4);
		for (uint32_t i = 0; i < threads; i++) {
			maker_see(&m, other, one);
			uint32_t child = maker_thread(&m, 2 + i, one);
			maker_see(&m, way, child);
			uint32_t next = maker_segment(&m, 1, one);
			maker_order(&m, next, 1, child);
			one = next;
		}
		double start = cpu_seconds();
		struct totals totals =
		    analyse(&m, &(struct dt_check_options){.want_filtered = true}, &bounded);
		assert_true(cpu_seconds() - start < ENDS_WITHIN);
		assert_int_equal(totals.warnings, 0);
		if (threads == 64) {
			assert_false(bounded);
			assert_int_equal(totals.last_reason, DT_REASON_ORDERED);
			/* And one that is not ordered, at the end of them all. */
			maker_see(&m, way, maker_thread(&m, 9999, 0));
			assert_int_equal(analyse(&m, NULL, NULL).warnings, 1);
		}
		maker_end(&m);
	}
}

/* Stacks that are not known are not the same place. */
static void test_unknown_stacks_are_not_one_place(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	locks_and_stacks(&m, 4, 0);
	uint32_t one = maker_thread(&m, 1, 0), two = maker_thread(&m, 2, 0);
	for (uint32_t i = 1; i <= 4; i += 2) {
		uint32_t outer = maker_acq(&m, 0, i, 0);
		maker_see(&m, maker_acq(&m, outer, i + 1, 0), one);
		outer = maker_acq(&m, 0, i + 1, 0);
		maker_see(&m, maker_acq(&m, outer, i, 0), two);
	}
	assert_int_equal(analyse(&m, NULL, NULL).warnings, 2);
	maker_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_philosophers_are_one_finding),
	    cmocka_unit_test(test_500_pairs_of_objects_are_one_bug),
	    cmocka_unit_test(test_one_real_instance_among_filtered_ones),
	    cmocka_unit_test(test_a_dense_tangle_is_one_bug),
	    cmocka_unit_test(test_a_gated_tangle_ends),
	    cmocka_unit_test(test_the_bound_is_said),
	    cmocka_unit_test(test_half_a_million_acquisitions_in_order),
	    cmocka_unit_test(test_a_deep_chain),
	    cmocka_unit_test(test_many_places_at_one_pair),
	    cmocka_unit_test(test_many_ordered_sightings),
	    cmocka_unit_test(test_unknown_stacks_are_not_one_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
