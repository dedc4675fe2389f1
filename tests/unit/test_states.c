/* The banker's test on states of a made log: which threads are stuck, and what is in the matrices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/check.h>

#include "failing_alloc.h"

enum { POOL = 1, OTHER = 2 };

struct scene {
	struct dt_facts *facts;
	uint32_t findings, stuck, available, need; /* need: of the first thread and resource */
};

static void add(struct scene *s, enum dt_rec_type type, void *record, size_t bytes)
{
	*(struct dt_rec *)record = (struct dt_rec){(uint16_t)type, 0, (uint32_t)(bytes / 8)};
	assert_int_equal(dt_facts_add(s->facts, record, bytes), DT_OK);
}

static void begin(struct scene *s, uint16_t pool_units, uint16_t other_units)
{
	*s = (struct scene){0};
	assert_int_equal(dt_facts_new(&s->facts, &dt_alloc_libc), DT_OK);
	struct dt_rec_lock pool = {.id = POOL, .kind = DT_LOCK_SEM, .units = pool_units, .address = 64};
	struct dt_rec_lock other = {.id = OTHER, .kind = DT_LOCK_SEM, .units = other_units, .address = 128};
	add(s, DT_REC_LOCK, &pool, sizeof pool);
	add(s, DT_REC_LOCK, &other, sizeof other);
}

static void acquire(struct scene *s, uint32_t id, uint32_t parent, uint32_t lock, uint8_t wait)
{
	struct dt_rec_acq acq = {.id = id, .parent = parent, .lock = lock, .op = DT_OP_ACQUIRE, .wait = wait};

	add(s, DT_REC_ACQ, &acq, sizeof acq);
}

/* `flags`: as in the log. */
static void units_while(struct scene *s, uint32_t acq, uint32_t count, uint16_t flags)
{
	struct dt_rec_units rec = {.acq = acq, .units = count};

	rec.head = (struct dt_rec){DT_REC_UNITS, flags, sizeof rec / 8};
	assert_int_equal(dt_facts_add(s->facts, &rec.head, sizeof rec), DT_OK);
}

static void units(struct scene *s, uint32_t acq, uint32_t count)
{
	units_while(s, acq, count, 0);
}

/* Threads 1, 2, ... each hold `held` units by the acquisition. */
static void reach(struct scene *s, uint32_t threads, const uint32_t *acqs, uint32_t held)
{
	struct {
		struct dt_rec_state state;
		struct dt_state_part parts[8];
	} rec = {.state = {.count = threads}};

	for (uint32_t i = 0; i < threads; i++)
		rec.parts[i] = (struct dt_state_part){.thread = i + 1, .acq = acqs[i], .units = held};
	add(s, DT_REC_STATE, &rec, sizeof rec.state + threads * sizeof *rec.parts);
}

static void take(void *context, const struct dt_finding *finding)
{
	struct scene *s = context;

	if (finding->rule != DT_RULE_UNSAFE_STATE)
		return;
	s->findings++;
	s->stuck = finding->matrices.stuck_count;
	s->available = finding->matrices.available[0];
	s->need = finding->matrices.claim[0] - finding->matrices.allocation[0];
}

static enum dt_err judge(struct scene *s, struct dt_alloc *alloc)
{
	struct dt_analysis analysis;

	return dt_analyse(s->facts, alloc, &(const struct dt_check_options){0}, take, s, &analysis);
}

static void end(struct scene *s)
{
	assert_int_equal(dt_facts_settle(s->facts), DT_OK);
	assert_int_equal(judge(s, &dt_alloc_libc), DT_OK);
	dt_facts_free(s->facts);
}

static const uint32_t same[] = {1, 1, 1, 1, 1, 1, 1, 1};

static void test_a_pool_that_is_used_up(void **state)
{
	(void)state;
	for (uint16_t there = 3; there <= 4; there++) {
		struct scene s;
		begin(&s, there, 2);
		acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
		units(&s, 1, 2);
		reach(&s, 3, same, 1);
		end(&s);
		assert_int_equal(s.findings, there == 3);
		if (there == 3) {
			assert_int_equal(s.stuck, 3);
			assert_int_equal(s.available, 0);
			assert_int_equal(s.need, 1);
		}
	}
}

static void test_one_unit_each_is_safe(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 3, 2);
	acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
	reach(&s, 3, same, 1);
	end(&s);
	assert_int_equal(s.findings, 0);
}

/* Two pools of two in both orders; a call that only tries does not stay stuck. */
static void test_two_pools(void **state)
{
	static const uint32_t crossed[] = {1, 3, 1, 3};

	(void)state;
	for (uint8_t wait = DT_WAIT_FOREVER; wait <= DT_WAIT_TRY; wait++) {
		struct scene s;
		begin(&s, 2, 2);
		acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
		acquire(&s, 2, 1, OTHER, wait);
		acquire(&s, 3, 0, OTHER, DT_WAIT_FOREVER);
		acquire(&s, 4, 3, POOL, DT_WAIT_FOREVER);
		reach(&s, 4, crossed, 1);
		end(&s);
		assert_int_equal(s.findings, wait == DT_WAIT_FOREVER);
	}
}

/* Thread 1 has a unit and the mutex, thread 2 a unit, and wants the mutex. A second unit was wanted without the mutex,
 * which is then given back first; or with it; or by a call that gives up. */
static void test_more_units_under_another_lock(void **state)
{
	static const uint32_t at[] = {2, 3};
	static const struct {
		uint32_t acq;
		uint16_t flags;
		uint32_t findings;
	} cases[] = {
	    {1, 0, 0},
	    {2, 1 << DT_UNITS_OUTWARDS_SHIFT, 1},
	    {2, 1 << DT_UNITS_OUTWARDS_SHIFT | DT_UNITS_GIVE_UP, 0},
	    {2, 2 << DT_UNITS_OUTWARDS_SHIFT, 0}, /* of nothing */
	    {2, DT_UNITS_OUTWARDS_MOST << DT_UNITS_OUTWARDS_SHIFT, 0},
	    {99, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct scene s;
		begin(&s, 2, 1);
		struct dt_rec_lock mutex = {.id = 3, .kind = DT_LOCK_MUTEX, .address = 192};
		add(&s, DT_REC_LOCK, &mutex, sizeof mutex);
		acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
		acquire(&s, 2, 1, 3, DT_WAIT_FOREVER);
		acquire(&s, 3, 0, POOL, DT_WAIT_TRY);
		acquire(&s, 4, 3, 3, DT_WAIT_FOREVER);
		units_while(&s, cases[i].acq, 2, cases[i].flags);
		reach(&s, 2, at, 1);
		end(&s);
		assert_int_equal(s.findings, cases[i].findings);
	}
}

/* Who has both gives one back before anything else, and then the rest goes on. */
static void test_what_is_given_back_first(void **state)
{
	static const uint32_t at[] = {2, 3, 3};
	struct scene s;

	(void)state;
	begin(&s, 1, 3);
	acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
	acquire(&s, 2, 1, OTHER, DT_WAIT_FOREVER);
	acquire(&s, 3, 0, OTHER, DT_WAIT_FOREVER);
	acquire(&s, 4, 3, POOL, DT_WAIT_FOREVER);
	reach(&s, 3, at, 1);
	end(&s);
	assert_int_equal(s.findings, 0);
}

/* Thread 1 gives back the inner one, and then, with the outer one still held, asks for what thread 2 has. */
static void test_what_is_wanted_after_that(void **state)
{
	static const uint32_t at[] = {2, 4};

	(void)state;
	for (uint16_t there = 1; there <= 2; there++) {
		struct scene s;
		begin(&s, 1, there);
		struct dt_rec_lock inner = {.id = 3, .kind = DT_LOCK_MUTEX, .address = 192};
		add(&s, DT_REC_LOCK, &inner, sizeof inner);
		acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
		acquire(&s, 2, 1, 3, DT_WAIT_FOREVER);
		acquire(&s, 3, 1, OTHER, DT_WAIT_FOREVER);
		acquire(&s, 4, 0, OTHER, DT_WAIT_FOREVER);
		acquire(&s, 5, 4, POOL, DT_WAIT_FOREVER);
		reach(&s, 2, at, 1);
		end(&s);
		assert_int_equal(s.findings, there == 1);
	}
}

/* Both came to more than there is when others gave units back for them: no claim is that large. */
static void test_no_claim_above_what_there_is(void **state)
{
	static const uint32_t at[] = {1, 2};
	struct scene s;

	(void)state;
	begin(&s, 2, 2);
	acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
	units(&s, 1, 5);
	acquire(&s, 2, 0, OTHER, DT_WAIT_FOREVER);
	units(&s, 2, 5);
	reach(&s, 2, at, 1);
	end(&s);
	assert_int_equal(s.findings, 0);
}

static void declare(struct scene *s, uint32_t threads, uint32_t units_at_most)
{
	struct {
		struct dt_rec_state state;
		struct dt_state_part parts[8];
	} rec = {.state = {.count = 2 * threads}};

	for (uint32_t i = 0; i < threads; i++) {
		rec.parts[2 * i] = (struct dt_state_part){.thread = i + 1, .acq = 1, .units = 1};
		rec.parts[2 * i + 1] =
		    (struct dt_state_part){.thread = i + 1, .lock = POOL, .units = units_at_most};
	}
	add(s, DT_REC_STATE, &rec, sizeof rec.state + 2 * threads * sizeof *rec.parts);
}

/* What is declared counts instead of what was learned, to both sides. */
static void test_declared(void **state)
{
	(void)state;
	for (uint32_t learned = 1; learned <= 2; learned++) {
		for (uint32_t declared = 1; declared <= 2; declared++) {
			struct scene s;
			begin(&s, 3, 2);
			acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
			units(&s, 1, learned);
			declare(&s, 3, declared);
			end(&s);
			assert_int_equal(s.findings, declared == 2);
		}
	}
}

static void test_what_earlier_runs_claim(void **state)
{
	(void)state;
	/* Of what they have both units of already, that is no more. */
	for (uint32_t had = 1; had <= 2; had++) {
		const struct dt_claim claim = {1, POOL, 1, false};
		struct scene s;
		begin(&s, (uint16_t)(2 * had), 2);
		acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
		reach(&s, 2, same, had);
		assert_int_equal(dt_facts_add_claim(s.facts, &claim), DT_OK);
		end(&s);
		assert_int_equal(s.findings, had == 1);
	}
	for (uint32_t more = 0; more <= 1; more++) {
		const struct dt_claim claims[] = {
		    {1, POOL, more, false}, {1, OTHER, 1, false}, {99, POOL, 7, false}, {1, 99, 7, true}};
		struct scene s;
		begin(&s, 3, 2);
		acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
		reach(&s, 3, same, 1);
		for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
			assert_int_equal(dt_facts_add_claim(s.facts, &claims[i]), DT_OK);
		end(&s);
		assert_int_equal(s.findings, more);
	}
}

static void test_a_part_is_one_or_the_other(void **state)
{
	struct {
		struct dt_rec_state state;
		struct dt_state_part parts[2];
	} rec = {{.head = {DT_REC_STATE, 0, sizeof rec / 8}, .count = 2}, {{1, 1, 1, POOL}, {2, 1, 1, 0}}};
	struct scene s;

	(void)state;
	begin(&s, 3, 2);
	assert_int_equal(dt_facts_add(s.facts, &rec.state.head, sizeof rec), DT_ERR_CORRUPT);
	rec.parts[0] = (struct dt_state_part){1, 0, 1, 0};
	assert_int_equal(dt_facts_add(s.facts, &rec.state.head, sizeof rec), DT_ERR_CORRUPT);
	end(&s);
}

static void test_a_signal_is_no_resource(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 3, 2);
	acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
	units(&s, 1, 2);
	struct dt_rec_id signal = {.id = POOL};
	add(&s, DT_REC_SEM_SIGNAL, &signal, sizeof signal);
	reach(&s, 3, same, 1);
	end(&s);
	assert_int_equal(s.findings, 0);
}

/* The state in which most are stuck stands for the situation. */
static void test_one_finding_a_situation(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 3, 2);
	acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
	units(&s, 1, 3);
	reach(&s, 2, same, 1);
	reach(&s, 3, same, 1);
	end(&s);
	assert_int_equal(s.findings, 1);
	assert_int_equal(s.stuck, 3);
}

/* More than there is, what is not there, too many. */
static void test_hostile_states(void **state)
{
	static const uint32_t nowhere[] = {1, 77, 1};
	struct scene s;

	(void)state;
	begin(&s, 2, 2);
	acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
	units(&s, 1, 4000000000u);
	reach(&s, 3, same, 1);
	reach(&s, 3, nowhere, 1);
	reach(&s, 2, same, 0);
	reach(&s, 2, same, 4000000000u);
	end(&s);
	assert_int_equal(s.findings, 0);
}

static void test_no_memory_at_every_allocation(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 3, 2);
	acquire(&s, 1, 0, POOL, DT_WAIT_FOREVER);
	units(&s, 1, 2);
	reach(&s, 3, same, 1);
	assert_int_equal(dt_facts_settle(s.facts), DT_OK);
	for (uint32_t refused = 1;; refused++) {
		struct failing_alloc alloc = failing_alloc(refused);
		s.findings = 0;
		enum dt_err err = judge(&s, &alloc.alloc);
		assert_int_equal(alloc.used_bytes, 0);
		if (alloc.requests < refused) {
			assert_int_equal(err, DT_OK);
			assert_int_equal(s.findings, 1);
			break;
		}
		assert_true(err == DT_ERR_NOMEM || s.findings == 1);
	}
	dt_facts_free(s.facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_pool_that_is_used_up),
	    cmocka_unit_test(test_one_unit_each_is_safe),
	    cmocka_unit_test(test_two_pools),
	    cmocka_unit_test(test_more_units_under_another_lock),
	    cmocka_unit_test(test_what_is_given_back_first),
	    cmocka_unit_test(test_what_is_wanted_after_that),
	    cmocka_unit_test(test_no_claim_above_what_there_is),
	    cmocka_unit_test(test_declared),
	    cmocka_unit_test(test_what_earlier_runs_claim),
	    cmocka_unit_test(test_a_part_is_one_or_the_other),
	    cmocka_unit_test(test_a_signal_is_no_resource),
	    cmocka_unit_test(test_one_finding_a_situation),
	    cmocka_unit_test(test_hostile_states),
	    cmocka_unit_test(test_no_memory_at_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
