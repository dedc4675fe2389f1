/* Several processes' text logs, joined: what is between them is found, and what order or one process alone
 * explains is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/join.h>
#include <detect/log_read.h>

#include "failing_alloc.h"
#include "textlog.h"

enum { MEMBERS_MAX = 4 };

struct run {
	struct dt_textlog *texts[MEMBERS_MAX];
	struct dt_facts *facts[MEMBERS_MAX];
	uint32_t count;
};

static void read_text(struct run *run, const char *text)
{
	struct dt_textlog_error error = {0};
	size_t size;

	if (dt_textlog_read(&run->texts[run->count], &dt_alloc_libc, text, strlen(text), &error) != DT_OK)
		fail_msg("line %u: %s", error.line, error.text);
	const void *bytes = dt_textlog_bytes(run->texts[run->count], &size);
	assert_int_equal(dt_facts_new(&run->facts[run->count], &dt_alloc_libc), DT_OK);
	assert_int_equal(dt_log_read(run->facts[run->count], bytes, size, NULL), DT_OK);
	run->count++;
}

static void free_run(struct run *run)
{
	for (uint32_t i = 0; i < run->count; i++) {
		dt_facts_free(run->facts[i]);
		dt_textlog_free(run->texts[i]);
	}
}

struct found {
	const struct dt_join *join;
	const struct run *run;
	uint32_t findings, filtered;
	enum dt_rule_id rule;
	enum dt_reason reason;
	uint32_t members; /* a bit each */
	char locks[64];
};

static void take(void *context, const struct dt_finding *finding)
{
	struct found *found = context;

	if (finding->filtered) {
		found->filtered++;
		found->reason = finding->reason;
		return;
	}
	found->findings++;
	found->rule = finding->rule;
	for (uint32_t i = 0; i < finding->event_count; i++)
		found->members |= 1u << dt_join_thread(found->join, finding->events[i].thread).member;
	for (uint32_t i = 0; i < finding->lock_count; i++) {
		struct dt_join_origin origin = dt_join_lock(found->join, finding->locks[i]);
		strncat(found->locks, dt_textlog_lock_name(found->run->texts[origin.member], origin.id), 8);
	}
}

static struct found analyse(const char *const *texts)
{
	const struct dt_check_options options = {.want_filtered = true};
	struct dt_analysis analysis;
	struct run run = {0};
	struct dt_join *join;

	while (texts[run.count])
		read_text(&run, texts[run.count]);
	assert_int_equal(dt_join_open(&join, run.facts, run.count, &dt_alloc_libc), DT_OK);
	struct found found = {.join = join, .run = &run};
	assert_int_equal(dt_join_analyse(join, &options, take, &found, &analysis), DT_OK);
	assert_int_equal(dt_facts_dangling(dt_join_facts(join)), 0);
	dt_join_close(join);
	free_run(&run);
	return found;
}

#define ANALYSE(...) analyse((const char *const[]){__VA_ARGS__, NULL})
#define A_THEN_B "T1 got A\nT1 got B\nT1 rel B\nT1 rel A\n"
#define B_THEN_A "T1 got B\nT1 got A\nT1 rel A\nT1 rel B\n"

static void test_opposite_orders_of_two_processes(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nshared A 1\nshared B 2\n" A_THEN_B,
	                             "process 11 200\nshared B 2\nshared A 1\n" B_THEN_A);
	assert_int_equal(found.findings, 1);
	assert_int_equal(found.rule, DT_RULE_LOCK_ORDER_CYCLE);
	assert_int_equal(found.members, 3);
	assert_string_equal(found.locks, "AB");
}

static void test_one_order_is_no_cycle(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nshared A 1\nshared B 2\n" A_THEN_B,
	                             "process 11 200\nshared A 1\nshared B 2\n" A_THEN_B);
	assert_int_equal(found.findings + found.filtered, 0);
}

/* Locks that are not shared have nothing to do with those of the same id or name elsewhere. */
static void test_what_is_not_shared_is_not_one(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\n" A_THEN_B, "process 11 200\n" B_THEN_A);
	assert_int_equal(found.findings + found.filtered, 0);
	found = ANALYSE("process 10 100\nshared A 1\nshared B 2\n" A_THEN_B,
	                "process 11 200\nshared A 1\nshared B 3\n" B_THEN_A);
	assert_int_equal(found.findings + found.filtered, 0);
}

/* Through a lock of one process's own, and through three processes. */
static void test_longer_cycles(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nshared A 1\nshared B 2\n"
	                             "T1 create T2\nT1 got A\nT1 got own\nT1 rel own\nT1 rel A\n"
	                             "T2 got own\nT2 got B\nT2 rel B\nT2 rel own\n",
	                             "process 11 200\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 1);
	found = ANALYSE("process 10 100\nshared A 1\nshared B 2\n" A_THEN_B,
	                "process 11 200\nshared B 2\nshared C 3\nT1 got B\nT1 got C\n",
	                "process 12 300\nshared A 1\nshared C 3\nT1 got C\nT1 got A\n");
	assert_int_equal(found.findings, 1);
	assert_int_equal(found.members, 7);
	assert_string_equal(found.locks, "ABC");
}

static void test_a_shared_gate_lock(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nshared A 1\nshared B 2\nshared G 3\nT1 got G\n" A_THEN_B,
	                             "process 11 200\nshared A 1\nshared B 2\nshared G 3\nT1 got G\n" B_THEN_A);
	assert_int_equal(found.findings, 0);
	assert_int_equal(found.reason, DT_REASON_GATE_LOCK);
	found = ANALYSE("process 10 100\nshared A 1\nshared B 2\nT1 got G\n" A_THEN_B,
	                "process 11 200\nshared A 1\nshared B 2\nT1 got G\n" B_THEN_A);
	assert_int_equal(found.findings, 1);
}

static void test_what_comes_before_a_fork(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nshared A 1\nshared B 2\n" A_THEN_B "T1 forks 11 150\n",
	                             "process 11 200\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 0);
	assert_int_equal(found.reason, DT_REASON_ORDERED);
	found = ANALYSE("process 10 100\nshared A 1\nshared B 2\nT1 forks 11 150\n" A_THEN_B,
	                "process 11 200\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 1);
}

static void test_what_comes_behind_a_wait(void **state)
{
	(void)state;
	struct found found =
	    ANALYSE("process 10 100\nshared A 1\nshared B 2\nT1 forks 11 150\nT1 reaps 11 900\n" A_THEN_B,
	            "process 11 200\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 0);
	assert_int_equal(found.reason, DT_REASON_ORDERED);
	/* Another thread of the child, and one of a later process of the same number. */
	found = ANALYSE("process 10 100\nshared A 1\nshared B 2\nT1 forks 11 150\nT1 reaps 11 900\n" A_THEN_B,
	                "process 11 200\nshared A 1\nshared B 2\nT1 create T2\n"
	                "T2 got B\nT2 got A\n");
	assert_int_equal(found.findings, 0);
	found = ANALYSE("process 10 100\nshared A 1\nshared B 2\nT1 reaps 11 150\n" A_THEN_B,
	                "process 11 200\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 1);
}

static void test_brothers_are_not_ordered(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nT1 forks 11 150\nT1 forks 12 160\nT1 reaps 11 900\nT1 reaps 12 901\n",
	                             "process 11 200\nshared A 1\nshared B 2\n" A_THEN_B,
	                             "process 12 210\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 1);
	assert_int_equal(found.members, 6);
	found = ANALYSE("process 10 100\nT1 forks 11 150\nT1 reaps 11 300\nT1 forks 12 400\nT1 reaps 12 901\n",
	                "process 11 200\nshared A 1\nshared B 2\n" A_THEN_B,
	                "process 12 410\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 0);
	assert_int_equal(found.reason, DT_REASON_ORDERED);
}

static void test_what_it_was_before_an_exec(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 11 100\nshared A 1\nshared B 2\n" A_THEN_B,
	                             "process 11 200\nshared A 1\nshared B 2\n" B_THEN_A);
	assert_int_equal(found.findings, 0);
	assert_int_equal(found.reason, DT_REASON_ORDERED);
}

static void test_what_one_process_shows_is_not_said_again(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nshared A 1\nshared B 2\nT1 create T2\n" A_THEN_B
	                             "T2 got B\nT2 got A\nT2 rel A\nT2 rel B\n",
	                             "process 11 200\nshared A 1\nshared B 2\n");
	assert_int_equal(found.findings, 0);
}

/* Used as a lock by both; or posted by who did not wait in one of them, and so a signal in both. */
static void test_a_shared_semaphore(void **state)
{
	(void)state;
#define LOCKS_SEM "T1 got S\nT1 got A\nT1 rel A\nT1 rel S\n"
	struct found found = ANALYSE(
	    "process 10 100\nlock S sem\nshared A 1\nshared S 2\nT1 got A\nT1 got S\nT1 rel S\nT1 rel A\n",
	    "process 11 200\nlock S sem\nshared A 1\nshared S 2\n" LOCKS_SEM);
	assert_int_equal(found.findings, 1);
	found = ANALYSE("process 10 100\nlock S sem\nshared A 1\nshared S 2\nT1 post S\nT1 got A\nT1 await S\n",
	                "process 11 200\nlock S sem\nshared A 1\nshared S 2\n" LOCKS_SEM);
	assert_int_equal(found.findings, 0);
}

/* Circles in what hostile logs say of each other: the members' own orders stay. */
static void test_circular_kinship(void **state)
{
	(void)state;
	struct found found = ANALYSE("process 10 100\nshared A 1\nshared B 2\nT1 reaps 11 900\n" A_THEN_B
	                             "T1 forks 11 150\n",
	                             "process 11 200\nshared A 1\nshared B 2\nT1 forks 10 50\nT1 reaps 10 900\n" B_THEN_A);
	assert_int_equal(found.findings, 1);
}

static void test_no_memory_at_every_allocation(void **state)
{
	(void)state;
	struct run run = {0};
	read_text(&run, "process 10 100\nshared A 1\nshared B 2\nT1 forks 11 150\n" A_THEN_B);
	read_text(&run, "process 11 200\nshared A 1\nshared B 2\n" B_THEN_A);
	for (uint32_t refused = 1;; refused++) {
		struct failing_alloc alloc = failing_alloc(refused);
		struct found found = {.run = &run};
		struct dt_analysis analysis = {0};
		struct dt_join *join;
		enum dt_err err = dt_join_open(&join, run.facts, run.count, &alloc.alloc);
		if (!err) {
			found.join = join;
			err = dt_join_analyse(join, &(const struct dt_check_options){0}, take, &found, &analysis);
			dt_join_close(join);
		}
		assert_int_equal(alloc.used_bytes, 0);
		if (alloc.requests < refused) {
			assert_int_equal(err, DT_OK);
			assert_int_equal(found.findings, 1);
			break;
		}
		assert_true(err == DT_ERR_NOMEM || analysis.bounded || found.findings == 1);
	}
	free_run(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_opposite_orders_of_two_processes),
	    cmocka_unit_test(test_one_order_is_no_cycle),
	    cmocka_unit_test(test_what_is_not_shared_is_not_one),
	    cmocka_unit_test(test_longer_cycles),
	    cmocka_unit_test(test_a_shared_gate_lock),
	    cmocka_unit_test(test_what_comes_before_a_fork),
	    cmocka_unit_test(test_what_comes_behind_a_wait),
	    cmocka_unit_test(test_brothers_are_not_ordered),
	    cmocka_unit_test(test_what_it_was_before_an_exec),
	    cmocka_unit_test(test_what_one_process_shows_is_not_said_again),
	    cmocka_unit_test(test_a_shared_semaphore),
	    cmocka_unit_test(test_circular_kinship),
	    cmocka_unit_test(test_no_memory_at_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
