/* What closed is the predicted cycle, or it is not: nothing that only resembles it confirms it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "confirm.h"
#include "fingerprint.h"

enum { MEMBERS = 3, EVENTS_MAX = 16 };

struct made {
	struct report_finding finding;
	struct report_lock locks[MEMBERS];
	struct report_event events[EVENTS_MAX];
	struct report_frame frames[EVENTS_MAX];
};

static const char *const holds[MEMBERS] = {"open_a", "open_b", "open_c"};
static const char *const wants[MEMBERS] = {"read_b", "read_c", "read_a"};

static void begin(struct made *made, enum dt_rule_id rule)
{
	static const char *const classes[MEMBERS] = {"a", "b", "c"};

	memset(made, 0, sizeof(*made));
	for (uint32_t i = 0; i < MEMBERS; i++)
		made->locks[i] = (struct report_lock){
		    .id = i + 1, .name = classes[i], .class_name = classes[i], .kind = "mutex"};
	made->finding = (struct report_finding){
	    .rule = &dt_rules[rule],
	    .happened = rule != DT_RULE_LOCK_ORDER_CYCLE,
	    .locks = made->locks,
	    .lock_count = MEMBERS,
	    .events = made->events,
	};
}

static struct report_event *add(struct made *made, enum dt_event_kind kind, uint32_t thread, uint32_t lock,
                                const char *function)
{
	size_t at = made->finding.event_count++;

	made->frames[at] = (struct report_frame){.function = function, .file = "a.c", .module = "/bin/p"};
	made->events[at] = (struct report_event){
	    .kind = kind, .thread = thread, .lock = lock, .stack = {.frames = &made->frames[at], .count = 1}};
	return &made->events[at];
}

/* Member i holds lock i + 1 and wants the next one. */
static void add_member(struct made *made, uint32_t i)
{
	add(made, DT_EVENT_HOLD, i + 2, i + 1, holds[i]);
	add(made, DT_EVENT_ACQUIRE, i + 2, (i + 1) % MEMBERS + 1, wants[i]);
}

static void make(struct made *made, enum dt_rule_id rule, uint32_t first)
{
	begin(made, rule);
	for (uint32_t i = 0; i < MEMBERS; i++)
		add_member(made, (first + i) % MEMBERS);
}

static void assert_confirms(const struct made *happened, bool expected)
{
	struct arena *arena = arena_new();
	struct made cycle;

	make(&cycle, DT_RULE_LOCK_ORDER_CYCLE, 0);
	cycle.finding.fingerprint = fingerprint_make(arena, &cycle.finding);
	assert_int_equal(confirm_match(&happened->finding, &cycle.finding), expected);
	arena_free(arena);
}

static void the_same_from_any_member(void **state)
{
	(void)state;
	for (uint32_t first = 0; first < MEMBERS; first++) {
		struct made happened;
		make(&happened, DT_RULE_DEADLOCK, first);
		assert_confirms(&happened, true);
	}
}

/* What is held besides is told before or behind the lock of the cycle. */
static void more_is_held(void **state)
{
	struct made happened;

	(void)state;
	begin(&happened, DT_RULE_DEADLOCK);
	add_member(&happened, 0);
	add(&happened, DT_EVENT_HOLD, 3, 2, holds[1]);
	add(&happened, DT_EVENT_HOLD, 3, 9, "open_other");
	add(&happened, DT_EVENT_ACQUIRE, 3, 3, wants[1]);
	add_member(&happened, 2);
	assert_confirms(&happened, true);
}

static void other_places(void **state)
{
	struct made happened;

	(void)state;
	for (size_t i = 0; i < 2 * MEMBERS; i++) {
		make(&happened, DT_RULE_DEADLOCK, 0);
		happened.frames[i].function = "elsewhere";
		assert_confirms(&happened, false);
	}
}

static void other_locks(void **state)
{
	struct made happened;

	(void)state;
	make(&happened, DT_RULE_DEADLOCK, 0);
	happened.locks[1].class_name = "another";
	assert_confirms(&happened, false);
}

static void other_mode(void **state)
{
	struct made happened;

	(void)state;
	make(&happened, DT_RULE_DEADLOCK, 0);
	happened.events[3].mode = DT_MODE_SHARED;
	assert_confirms(&happened, false);
}

static void fewer_members(void **state)
{
	struct made happened;

	(void)state;
	begin(&happened, DT_RULE_DEADLOCK);
	add_member(&happened, 0);
	add_member(&happened, 1);
	assert_confirms(&happened, false);
}

static void a_join_in_it(void **state)
{
	struct made happened;

	(void)state;
	make(&happened, DT_RULE_DEADLOCK, 0);
	happened.events[1].kind = DT_EVENT_WAIT;
	assert_confirms(&happened, false);
}

static void a_member_that_holds_nothing(void **state)
{
	struct made happened;

	(void)state;
	make(&happened, DT_RULE_DEADLOCK, 0);
	memmove(&happened.events[2], &happened.events[3], 3 * sizeof(happened.events[0]));
	happened.finding.event_count--;
	assert_confirms(&happened, false);
}

static void no_events(void **state)
{
	struct made happened;

	(void)state;
	begin(&happened, DT_RULE_DEADLOCK);
	assert_confirms(&happened, false);
	begin(&happened, DT_RULE_STALL);
	assert_confirms(&happened, false);
}

static void only_what_happened_counts(void **state)
{
	struct made happened;

	(void)state;
	make(&happened, DT_RULE_SELF_DEADLOCK, 0);
	assert_confirms(&happened, false);
	make(&happened, DT_RULE_LONG_WAIT, 0);
	assert_confirms(&happened, false);
}

/* In a stall others wait too, in any order, and a wait for a semaphore is a wait. */
static void the_circle_in_a_stall(void **state)
{
	struct made happened;

	(void)state;
	begin(&happened, DT_RULE_STALL);
	add(&happened, DT_EVENT_WAIT, 1, 0, "main");
	add_member(&happened, 2);
	add(&happened, DT_EVENT_ACQUIRE, 7, 1, "also_waits");
	add_member(&happened, 0);
	add_member(&happened, 1);
	happened.events[2].kind = DT_EVENT_WAIT;
	assert_confirms(&happened, true);
}

static void a_stall_without_the_circle(void **state)
{
	struct made happened;

	(void)state;
	begin(&happened, DT_RULE_STALL);
	add(&happened, DT_EVENT_WAIT, 1, 0, "main");
	add_member(&happened, 0);
	add_member(&happened, 1);
	add(&happened, DT_EVENT_HOLD, 4, 3, holds[2]);
	add(&happened, DT_EVENT_WAIT, 4, 0, "waits_for_a_signal");
	assert_confirms(&happened, false);
	/* Two who wait for each other beside one who leads to them: no way back to him. */
	begin(&happened, DT_RULE_STALL);
	add(&happened, DT_EVENT_ACQUIRE, 5, 1, "leads_there");
	add(&happened, DT_EVENT_HOLD, 2, 1, holds[0]);
	add(&happened, DT_EVENT_ACQUIRE, 2, 2, wants[0]);
	add(&happened, DT_EVENT_HOLD, 3, 2, holds[1]);
	add(&happened, DT_EVENT_ACQUIRE, 3, 1, wants[1]);
	assert_confirms(&happened, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_from_any_member),
	    cmocka_unit_test(more_is_held),
	    cmocka_unit_test(other_places),
	    cmocka_unit_test(other_locks),
	    cmocka_unit_test(other_mode),
	    cmocka_unit_test(fewer_members),
	    cmocka_unit_test(a_join_in_it),
	    cmocka_unit_test(a_member_that_holds_nothing),
	    cmocka_unit_test(no_events),
	    cmocka_unit_test(only_what_happened_counts),
	    cmocka_unit_test(the_circle_in_a_stall),
	    cmocka_unit_test(a_stall_without_the_circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
