/* wait-while-holding: each verdict with the twin that differs in one thing, in both hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/check.h>

#include "maker.h"

enum { L = 1, M, COND, BARRIER, GATE, RW, CLASS, WRW };
enum { WAITER = 1, OTHER, THIRD };

struct scene {
	struct maker m;
	uint32_t waiter, other, third; /* segments */
	uint32_t stack;
	uint32_t acq[64], segment[64], sights;
};

struct answer {
	uint32_t count;
	struct dt_finding finding;
	struct dt_event event[8];
	uint32_t lock[2];
};

static void begin(struct scene *s)
{
	memset(s, 0, sizeof *s);
	maker_begin(&s->m);
	maker_lock(&s->m, L, DT_LOCK_MUTEX, 0);
	maker_lock(&s->m, M, DT_LOCK_MUTEX, 0);
	maker_lock(&s->m, COND, DT_LOCK_COND, 0);
	maker_lock(&s->m, BARRIER, DT_LOCK_BARRIER, 0);
	maker_lock(&s->m, GATE, DT_LOCK_MUTEX, 0);
	maker_lock(&s->m, RW, DT_LOCK_RWLOCK, 0);
	maker_lock(&s->m, CLASS, DT_LOCK_MUTEX, DT_LOCK_CLASS);
	maker_lock(&s->m, WRW, DT_LOCK_RWLOCK, DT_LOCK_PREFER_WRITER);
	for (uint32_t i = 1; i < 64; i++)
		maker_stack(&s->m, i);
	s->waiter = maker_thread(&s->m, WAITER, 0);
	s->other = maker_thread(&s->m, OTHER, 0);
	s->third = maker_thread(&s->m, THIRD, 0);
}

static uint32_t act(struct scene *s, uint32_t segment, uint32_t parent, enum dt_op op, uint32_t lock,
                    enum dt_mode mode, enum dt_wait wait)
{
	uint32_t acq = maker_acq_as(&s->m, parent, op, lock, ++s->stack, mode, wait);

	s->acq[s->sights] = acq;
	s->segment[s->sights++] = segment;
	return acq;
}

static uint32_t take(struct scene *s, uint32_t segment, uint32_t parent, uint32_t lock)
{
	return act(s, segment, parent, DT_OP_ACQUIRE, lock, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
}

static uint32_t wait_on(struct scene *s, uint32_t parent, enum dt_op op, uint32_t object)
{
	return act(s, s->waiter, parent, op, object, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
}

static uint32_t signal_by(struct scene *s, uint32_t segment)
{
	return act(s, segment, 0, DT_OP_COND_SIGNAL, COND, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
}

static void keep(void *context, const struct dt_finding *finding)
{
	struct answer *answer = context;

	if (finding->rule != DT_RULE_WAIT_WHILE_HOLDING)
		return;
	answer->count++;
	answer->finding = *finding;
	assert_in_range(finding->event_count, 3, 4);
	memcpy(answer->event, finding->events, finding->event_count * sizeof *finding->events);
	assert_in_range(finding->lock_count, 1, 2);
	memcpy(answer->lock, finding->locks, finding->lock_count * sizeof *finding->locks);
}

static struct answer ask_live(struct scene *s, const struct dt_check_options *options, uint32_t *at_once)
{
	struct answer answer = {0};
	struct dt_check_state *check;

	assert_int_equal(dt_facts_settle(s->m.facts), DT_OK);
	assert_int_equal(dt_checks[1]->open(&check, s->m.facts, &dt_alloc_libc, options, keep, &answer),
	                 DT_OK);
	for (uint32_t i = 0; i < s->sights; i++) {
		maker_see(&s->m, s->acq[i], s->segment[i]);
		assert_int_equal(dt_facts_settle(s->m.facts), DT_OK);
		assert_int_equal(dt_checks[1]->feed(check, s->acq[i], s->segment[i]), DT_OK);
	}
	*at_once = answer.count;
	assert_int_equal(dt_checks[1]->finish(check), DT_OK);
	assert_false(dt_checks[1]->bounded(check));
	dt_checks[1]->close(check);
	return answer;
}

/* What is found, filtered or not, first live and then at the end. */
static struct answer ask(struct scene *s)
{
	const struct dt_check_options options = {.want_filtered = true};
	struct dt_analysis analysis;
	struct answer answer = {0};
	uint32_t at_once;
	struct answer live = ask_live(s, &options, &at_once);

	assert_int_equal(dt_facts_dangling(s->m.facts), 0);
	assert_int_equal(dt_analyse(s->m.facts, &dt_alloc_libc, &options, keep, &answer, &analysis), DT_OK);
	assert_int_equal(live.count, answer.count);
	if (answer.count == 1) {
		bool warning = answer.finding.level == DT_LEVEL_WARNING && !answer.finding.filtered;
		assert_int_equal(live.finding.reason, answer.finding.reason);
		assert_int_equal(at_once, warning);
		assert_int_equal(answer.finding.tier, warning ? DT_TIER_POSSIBLE : DT_TIER_NOTE);
	}
	maker_end(&s->m);
	return answer;
}

static void expect(struct answer answer, enum dt_level level, bool filtered, enum dt_reason reason)
{
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.finding.level, level);
	assert_int_equal(answer.finding.filtered, filtered);
	assert_int_equal(answer.finding.reason, reason);
}

#define EXPECT_WARNING(s) expect(ask(s), DT_LEVEL_WARNING, false, DT_REASON_NONE)
#define EXPECT_NOTE(s, reason) expect(ask(s), DT_LEVEL_NOTE, false, reason)
#define EXPECT_FILTERED(s, reason) expect(ask(s), DT_LEVEL_WARNING, true, reason)
#define EXPECT_NOTHING(s) assert_int_equal(ask(s).count, 0)

static void test_condition_wait(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
	take(&s, s.other, 0, L);
	signal_by(&s, s.other);
	struct answer answer = ask(&s);
	expect(answer, DT_LEVEL_WARNING, false, DT_REASON_NONE);
	assert_int_equal(answer.finding.count, 1);
	assert_int_equal(answer.finding.lock_count, 2);
	assert_int_equal(answer.lock[0], L);
	assert_int_equal(answer.lock[1], COND);
	static const enum dt_event_kind kinds[] = {DT_EVENT_HOLD, DT_EVENT_WAIT, DT_EVENT_ACQUIRE,
	                                           DT_EVENT_SIGNAL};
	static const uint32_t threads[] = {WAITER, WAITER, OTHER, OTHER}, locks[] = {L, COND, L, COND};
	assert_int_equal(answer.finding.event_count, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(answer.event[i].kind, kinds[i]);
		assert_int_equal(answer.event[i].thread, threads[i]);
		assert_int_equal(answer.event[i].lock, locks[i]);
		assert_int_equal(answer.event[i].stack, i + 1);
	}
	assert_int_equal(answer.event[1].holding_count, 1);
}

static void test_condition_wait_with_nothing_held(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	take(&s, s.waiter, 0, L);
	wait_on(&s, 0, DT_OP_COND_WAIT, COND);
	take(&s, s.other, 0, L);
	signal_by(&s, s.other);
	EXPECT_NOTHING(&s);
}

static void test_the_signaller_needs_another_lock(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
	take(&s, s.other, 0, M);
	signal_by(&s, s.other);
	take(&s, s.third, 0, L);
	EXPECT_NOTHING(&s);
}

/* A thread does not wake itself. */
static void test_only_the_waiter_signals(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
	signal_by(&s, s.waiter);
	take(&s, s.other, 0, L);
	EXPECT_NOTHING(&s);
}

static void test_ordered(void **state)
{
	struct scene s;

	(void)state;
	/* All that the other does is over before the wait, or begins behind it; or its acquisition alone. */
	for (int way = 0; way < 3; way++) {
		begin(&s);
		uint32_t other = s.other;
		if (way == 0)
			s.waiter = maker_segment(&s.m, WAITER, s.other);
		if (way == 1)
			other = maker_segment(&s.m, OTHER, s.waiter);
		if (way == 2) {
			s.waiter = maker_segment(&s.m, WAITER, s.other);
			other = maker_segment(&s.m, OTHER, s.other);
		}
		wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
		take(&s, way == 1 ? other : s.other, 0, L);
		signal_by(&s, other);
		EXPECT_FILTERED(&s, DT_REASON_ORDERED);
	}
}

/* The first acquisition is ordered, a later one is not. */
static void test_many_exemplars(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.waiter = maker_segment(&s.m, WAITER, s.other);
	uint32_t later = maker_segment(&s.m, OTHER, s.other);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
	uint32_t taken = take(&s, s.other, 0, L);
	signal_by(&s, later);
	s.acq[s.sights] = taken;
	s.segment[s.sights++] = later;
	EXPECT_WARNING(&s);
}

static void test_other_waker(void **state)
{
	struct scene s;

	(void)state;
	for (int needs = 0; needs < 2; needs++) {
		begin(&s);
		take(&s, s.other, 0, L);
		if (needs)
			take(&s, s.third, 0, L);
		signal_by(&s, s.other);
		signal_by(&s, s.third);
		wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
		if (needs)
			EXPECT_WARNING(&s);
		else
			EXPECT_FILTERED(&s, DT_REASON_OTHER_WAKER);
	}
}

static void test_timed(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	act(&s, s.waiter, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND, DT_MODE_EXCLUSIVE, DT_WAIT_TIMED);
	take(&s, s.other, 0, L);
	signal_by(&s, s.other);
	EXPECT_NOTE(&s, DT_REASON_TIMED);
	begin(&s);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
	act(&s, s.other, 0, DT_OP_ACQUIRE, L, DT_MODE_EXCLUSIVE, DT_WAIT_TIMED);
	signal_by(&s, s.other);
	EXPECT_NOTE(&s, DT_REASON_TIMED);
}

static void test_try(void **state)
{
	struct scene s;

	(void)state;
	for (int blocks_too = 0; blocks_too < 2; blocks_too++) {
		begin(&s);
		/* That the waiter only tried is nothing to the one who waits for it. */
		wait_on(&s, act(&s, s.waiter, 0, DT_OP_ACQUIRE, L, DT_MODE_EXCLUSIVE, DT_WAIT_TRY),
		        DT_OP_COND_WAIT, COND);
		act(&s, s.other, 0, DT_OP_ACQUIRE, L, DT_MODE_EXCLUSIVE, DT_WAIT_TRY);
		if (blocks_too)
			take(&s, s.other, 0, L);
		signal_by(&s, s.other);
		if (blocks_too)
			EXPECT_WARNING(&s);
		else
			EXPECT_FILTERED(&s, DT_REASON_TRY);
	}
}

static void test_gate(void **state)
{
	struct scene s;

	(void)state;
	/* Under the gate: the bug is the gate, which is found for itself. */
	begin(&s);
	uint32_t gate = take(&s, s.waiter, 0, GATE);
	wait_on(&s, take(&s, s.waiter, gate, L), DT_OP_COND_WAIT, COND);
	take(&s, s.other, take(&s, s.other, 0, GATE), L);
	signal_by(&s, s.other);
	assert_int_equal(ask(&s).count, 2);
	/* A gate that only one side holds is none. */
	begin(&s);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
	take(&s, s.other, take(&s, s.other, 0, GATE), L);
	signal_by(&s, s.other);
	EXPECT_WARNING(&s);
}

static void readers(struct scene *s, uint32_t lock, enum dt_mode held, enum dt_mode wanted)
{
	begin(s);
	wait_on(s, act(s, s->waiter, 0, DT_OP_ACQUIRE, lock, held, DT_WAIT_FOREVER), DT_OP_COND_WAIT, COND);
	act(s, s->other, 0, DT_OP_ACQUIRE, lock, wanted, DT_WAIT_FOREVER);
	signal_by(s, s->other);
}

static void test_readers(void **state)
{
	struct scene s;

	(void)state;
	readers(&s, RW, DT_MODE_SHARED, DT_MODE_SHARED);
	EXPECT_FILTERED(&s, DT_REASON_READERS);
	readers(&s, RW, DT_MODE_SHARED, DT_MODE_EXCLUSIVE);
	EXPECT_WARNING(&s);
	readers(&s, RW, DT_MODE_EXCLUSIVE, DT_MODE_SHARED);
	EXPECT_WARNING(&s);
	readers(&s, WRW, DT_MODE_SHARED, DT_MODE_SHARED);
	expect(ask(&s), DT_LEVEL_WARNING, false, DT_REASON_READER_POLICY);
}

static void test_class_lock(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	wait_on(&s, take(&s, s.waiter, 0, CLASS), DT_OP_COND_WAIT, COND);
	take(&s, s.other, 0, CLASS);
	signal_by(&s, s.other);
	EXPECT_NOTE(&s, DT_REASON_CLASS_ONLY);
}

/* The other has the lock already when it takes it again: it did not need it then. */
static void test_relock(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.waiter = maker_segment(&s.m, WAITER, s.other);
	uint32_t later = maker_segment(&s.m, OTHER, s.other), outer = take(&s, s.other, 0, L);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_COND_WAIT, COND);
	take(&s, later, outer, L);
	signal_by(&s, later);
	EXPECT_FILTERED(&s, DT_REASON_ORDERED);
}

static void test_join(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	take(&s, s.other, 0, L);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_JOIN, OTHER);
	struct answer answer = ask(&s);
	expect(answer, DT_LEVEL_WARNING, false, DT_REASON_NONE);
	assert_int_equal(answer.finding.event_count, 3);
	assert_int_equal(answer.finding.lock_count, 1);
	assert_int_equal(answer.event[1].kind, DT_EVENT_WAIT);
	assert_int_equal(answer.event[1].other_thread, OTHER);
	assert_int_equal(answer.event[1].lock, 0);
	/* Another thread than the joined one needs it. */
	begin(&s);
	take(&s, s.third, 0, L);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_JOIN, OTHER);
	EXPECT_NOTHING(&s);
	/* Over before, by a barrier. */
	begin(&s);
	take(&s, s.other, 0, L);
	s.waiter = maker_segment(&s.m, WAITER, s.other);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_JOIN, OTHER);
	EXPECT_FILTERED(&s, DT_REASON_ORDERED);
	begin(&s);
	take(&s, s.other, 0, L);
	act(&s, s.waiter, take(&s, s.waiter, 0, L), DT_OP_JOIN, OTHER, DT_MODE_EXCLUSIVE, DT_WAIT_TIMED);
	EXPECT_NOTE(&s, DT_REASON_TIMED);
}

static void test_barrier(void **state)
{
	struct scene s;

	(void)state;
	for (int behind = 0; behind < 2; behind++) {
		begin(&s);
		wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_BARRIER_WAIT, BARRIER);
		act(&s, s.other, 0, DT_OP_BARRIER_WAIT, BARRIER, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
		uint32_t meeting = maker_segment(&s.m, 0, s.waiter);
		maker_order(&s.m, meeting, 0, s.other);
		uint32_t after = maker_segment(&s.m, OTHER, meeting);
		take(&s, behind ? after : s.other, 0, L);
		if (behind)
			EXPECT_FILTERED(&s, DT_REASON_ORDERED);
		else
			EXPECT_WARNING(&s);
	}
	/* Who does not take part in the barrier does not hold it up. */
	begin(&s);
	wait_on(&s, take(&s, s.waiter, 0, L), DT_OP_BARRIER_WAIT, BARRIER);
	act(&s, s.other, 0, DT_OP_BARRIER_WAIT, BARRIER, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
	take(&s, s.third, 0, L);
	EXPECT_NOTHING(&s);
}

/* The same code on 20 objects, with one signaller that two places serve: one bug. */
static void test_one_bug(void **state)
{
	struct scene s;
	struct answer answer = {0};
	struct dt_analysis analysis;
	static const struct dt_check_options options;

	(void)state;
	begin(&s);
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t lock = 100 + 2 * i, cond = lock + 1;
		maker_lock(&s.m, lock, DT_LOCK_MUTEX, 0);
		maker_lock(&s.m, cond, DT_LOCK_COND, 0);
		uint32_t held = maker_acq(&s.m, 0, lock, 1);
		maker_see(
		    &s.m,
		    maker_acq_as(&s.m, held, DT_OP_COND_WAIT, cond, 2, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER),
		    s.waiter);
		for (uint32_t place = 3; place < 7; place += 2) {
			maker_see(&s.m, maker_acq(&s.m, 0, lock, place), s.other);
			maker_see(&s.m,
			          maker_acq_as(&s.m, 0, DT_OP_COND_SIGNAL, cond, place + 1, DT_MODE_EXCLUSIVE,
			                       DT_WAIT_FOREVER),
			          s.other);
		}
	}
	assert_int_equal(dt_facts_settle(s.m.facts), DT_OK);
	assert_int_equal(dt_analyse(s.m.facts, &dt_alloc_libc, &options, keep, &answer, &analysis), DT_OK);
	expect(answer, DT_LEVEL_WARNING, false, DT_REASON_NONE);
	assert_int_equal(answer.finding.count, 20);
	maker_end(&s.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_condition_wait),
	    cmocka_unit_test(test_condition_wait_with_nothing_held),
	    cmocka_unit_test(test_the_signaller_needs_another_lock),
	    cmocka_unit_test(test_only_the_waiter_signals),
	    cmocka_unit_test(test_ordered),
	    cmocka_unit_test(test_many_exemplars),
	    cmocka_unit_test(test_other_waker),
	    cmocka_unit_test(test_timed),
	    cmocka_unit_test(test_try),
	    cmocka_unit_test(test_gate),
	    cmocka_unit_test(test_readers),
	    cmocka_unit_test(test_class_lock),
	    cmocka_unit_test(test_relock),
	    cmocka_unit_test(test_join),
	    cmocka_unit_test(test_barrier),
	    cmocka_unit_test(test_one_bug),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
