/* Contention by lock: against a naive sum on random sites, the order, the sites named, records that are
 * wrong, and the want of memory at every request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/stats.h>

#include "failing_alloc.h"
#include "maker.h"

enum { LOCKS = 40, SITES = 500 };

static void add_site(struct maker *m, struct dt_rec_stat rec)
{
	maker_add(m, &rec, DT_REC_STAT, 0, sizeof rec);
}

static void release(struct dt_lock_stats *list, uint32_t count)
{
	dt_alloc_libc.resize(&dt_alloc_libc, list, count * sizeof *list, 0);
}

static void sums_and_order(void **unused)
{
	struct maker m;
	struct dt_lock_stats *list;
	uint32_t count;

	(void)unused;
	maker_begin(&m);
	add_site(&m, (struct dt_rec_stat){.lock = 1,
	                                  .stack = 11,
	                                  .acquisitions = 100,
	                                  .samples = 10,
	                                  .hold_total_ns = 900,
	                                  .hold_max_ns = 50});
	add_site(&m, (struct dt_rec_stat){.lock = 2,
	                                  .stack = 12,
	                                  .acquisitions = 5,
	                                  .samples = 5,
	                                  .contended = 2,
	                                  .hold_total_ns = 10,
	                                  .wait_total_ns = 70,
	                                  .wait_max_ns = 60});
	add_site(&m, (struct dt_rec_stat){.lock = 3, .stack = 13, .acquisitions = 1, .hold_total_ns = 1000});
	add_site(&m, (struct dt_rec_stat){.lock = 2,
	                                  .stack = 14,
	                                  .acquisitions = 3,
	                                  .samples = 1,
	                                  .contended = 1,
	                                  .hold_total_ns = 40,
	                                  .wait_total_ns = 65,
	                                  .wait_max_ns = 65});
	add_site(&m, (struct dt_rec_stat){.lock = 0, .stack = 15, .acquisitions = 9});
	assert_int_equal(dt_stats_by_lock(m.facts, &dt_alloc_libc, &list, &count), DT_OK);
	assert_int_equal(count, 3);
	assert_int_equal(list[0].lock, 2); /* the only one that was waited for */
	assert_int_equal(list[1].lock, 3); /* then by hold */
	assert_int_equal(list[2].lock, 1);
	assert_int_equal(list[0].total.acquisitions, 8);
	assert_int_equal(list[0].total.samples, 6);
	assert_int_equal(list[0].total.contended, 3);
	assert_int_equal(list[0].total.wait_total_ns, 135);
	assert_int_equal(list[0].total.wait_max_ns, 65);
	assert_int_equal(list[0].wait_stack, 12); /* longest in all, not once */
	assert_int_equal(list[0].hold_stack, 14);
	assert_int_equal(list[0].sites, 2);
	assert_int_equal(list[1].wait_stack, 0);
	assert_int_equal(list[2].total.hold_max_ns, 50);
	release(list, count);
	maker_end(&m);
}

static void nothing_and_wrong(void **unused)
{
	struct maker m;
	struct dt_lock_stats *list;
	uint32_t count;
	struct dt_rec_interval rec = {.thread = 1, .lock = 1, .begin_ns = 5, .end_ns = 4};

	(void)unused;
	maker_begin(&m);
	assert_int_equal(dt_stats_by_lock(m.facts, &dt_alloc_libc, &list, &count), DT_OK);
	assert_null(list);
	assert_int_equal(count, 0);
	rec.head = (struct dt_rec){DT_REC_INTERVAL, DT_INTERVAL_HOLD, sizeof rec / 8};
	assert_int_equal(dt_facts_add(m.facts, &rec.head, sizeof rec),
	                 DT_ERR_CORRUPT); /* ends before it begins */
	rec.end_ns = 7;
	rec.head.flags = 9;
	assert_int_equal(dt_facts_add(m.facts, &rec.head, sizeof rec), DT_ERR_CORRUPT); /* of no kind */
	maker_add(&m, &rec, DT_REC_INTERVAL, DT_INTERVAL_WAIT, sizeof rec);
	assert_int_equal(dt_facts_interval_count(m.facts), 1);
	assert_int_equal(dt_facts_interval_nth(m.facts, 0)->kind, DT_INTERVAL_WAIT);
	assert_int_equal(dt_facts_interval_nth(m.facts, 0)->end_ns, 7);
	maker_end(&m);
}

static void add_random(struct maker *m, struct dt_stat naive[LOCKS + 1])
{
	srand(1);
	for (uint32_t i = 0; i < SITES; i++) {
		struct dt_rec_stat rec = {.lock = 1 + (uint32_t)rand() % LOCKS,
		                          .stack = i + 1,
		                          .acquisitions = (uint64_t)rand(),
		                          .samples = (uint64_t)rand() % 100,
		                          .hold_total_ns = (uint64_t)rand(),
		                          .hold_max_ns = (uint64_t)rand() % 1000,
		                          .contended = (uint64_t)rand() % 10,
		                          .wait_total_ns = (uint64_t)rand() % 3,
		                          .wait_max_ns = (uint64_t)rand() % 1000};
		struct dt_stat *sum = &naive[rec.lock];
		sum->acquisitions += rec.acquisitions;
		sum->samples += rec.samples;
		sum->hold_total_ns += rec.hold_total_ns;
		sum->contended += rec.contended;
		sum->wait_total_ns += rec.wait_total_ns;
		sum->hold_max_ns = rec.hold_max_ns > sum->hold_max_ns ? rec.hold_max_ns : sum->hold_max_ns;
		sum->wait_max_ns = rec.wait_max_ns > sum->wait_max_ns ? rec.wait_max_ns : sum->wait_max_ns;
		add_site(m, rec);
	}
}

static bool in_order(const struct dt_stat *a, const struct dt_stat *b)
{
	return a->wait_total_ns > b->wait_total_ns ||
	       (a->wait_total_ns == b->wait_total_ns && a->hold_total_ns >= b->hold_total_ns);
}

static void against_naive(void **unused)
{
	struct maker m;
	struct dt_stat naive[LOCKS + 1] = {0};
	struct dt_lock_stats *list;
	uint32_t count;

	(void)unused;
	maker_begin(&m);
	add_random(&m, naive);
	assert_int_equal(dt_stats_by_lock(m.facts, &dt_alloc_libc, &list, &count), DT_OK);
	assert_int_equal(count, LOCKS);
	for (uint32_t i = 0; i < count; i++) {
		struct dt_stat got = list[i].total;
		got.lock = got.stack = 0;
		assert_memory_equal(&got, &naive[list[i].lock], sizeof got);
		assert_true(!i || in_order(&list[i - 1].total, &list[i].total));
	}
	release(list, count);
	maker_end(&m);
}

static void no_memory(void **unused)
{
	struct maker m;
	struct dt_stat naive[LOCKS + 1] = {0};
	enum dt_err err = DT_ERR_NOMEM;

	(void)unused;
	maker_begin(&m);
	add_random(&m, naive);
	for (uint32_t refused = 1; err; refused++) {
		struct dt_lock_stats *list;
		uint32_t count;
		struct failing_alloc alloc = failing_alloc(refused);
		err = dt_stats_by_lock(m.facts, &alloc.alloc, &list, &count);
		assert_true(err == DT_OK || (err == DT_ERR_NOMEM && !list && !count));
		assert_true(refused > 2 || err);
		alloc.alloc.resize(&alloc.alloc, list, count * sizeof *list, 0);
		assert_int_equal(alloc.used_bytes, 0);
	}
	maker_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sums_and_order),
	    cmocka_unit_test(nothing_and_wrong),
	    cmocka_unit_test(against_naive),
	    cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
