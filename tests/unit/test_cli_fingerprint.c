/* A fingerprint is the same for the same bug and differs for another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fingerprint.h"

#define EDGES 3

/* A cycle of three locks with stacks of four frames, to be bent by the tests. */
struct cycle {
	struct report_finding finding;
	struct report_lock locks[EDGES];
	struct report_event events[2 * EDGES];
	struct report_frame frames[2 * EDGES][4];
	uint32_t holding[EDGES];
};

static const char *const functions[2 * EDGES][4] = {
    {"lock_a", "open_a", "serve", "main"},  {"lock_b", "open_b", "serve", "main"},
    {"lock_b", "read_b", "worker", "main"}, {"lock_c", "read_c", "worker", "main"},
    {"lock_c", "stop_c", "timer", "main"},  {"lock_a", "stop_a", "timer", "main"},
};

static void make_cycle(struct cycle *cycle)
{
	static const char *const classes[EDGES] = {"a", "b", "table[].lock"};

	memset(cycle, 0, sizeof(*cycle));
	for (uint32_t i = 0; i < EDGES; i++)
		cycle->locks[i] =
		    (struct report_lock){.id = i + 1, .name = "x", .class_name = classes[i], .kind = "mutex"};
	for (uint32_t i = 0; i < 2 * EDGES; i++) {
		uint32_t edge = i / 2, lock = (edge + i % 2) % EDGES + 1;

		for (size_t f = 0; f < 4; f++)
			cycle->frames[i][f] = (struct report_frame){.function = functions[i][f],
			                                            .file = "a.c",
			                                            .line = 10 + i,
			                                            .module = "/bin/p",
			                                            .offset = 0x1000 + i};
		cycle->events[i] = (struct report_event){
		    .kind = i % 2 ? DT_EVENT_ACQUIRE : DT_EVENT_HOLD,
		    .thread = edge + 2,
		    .lock = lock,
		    .stack = {.frames = cycle->frames[i], .count = 4},
		};
	}
	cycle->finding = (struct report_finding){
	    .rule = &dt_rules[DT_RULE_LOCK_ORDER_CYCLE],
	    .locks = cycle->locks,
	    .lock_count = EDGES,
	    .cycle_lock_count = EDGES,
	    .events = cycle->events,
	    .event_count = 2 * EDGES,
	};
}

static void print_of(const struct cycle *cycle, char print[33])
{
	struct arena *arena = arena_new();
	const char *made = fingerprint_make(arena, &cycle->finding);

	assert_int_equal(strlen(made), 32);
	memcpy(print, made, 33);
	arena_free(arena);
}

static void assert_same(const struct cycle *cycle, bool same)
{
	struct cycle plain;
	char expected[33], got[33];

	make_cycle(&plain);
	print_of(&plain, expected);
	print_of(cycle, got);
	if (same)
		assert_string_equal(got, expected);
	else
		assert_string_not_equal(got, expected);
}

static void test_same_after_other_addresses_lines_and_threads(void **state)
{
	struct cycle cycle;

	(void)state;
	make_cycle(&cycle);
	for (size_t i = 0; i < 2 * EDGES; i++) {
		cycle.events[i].thread += 40;
		for (size_t f = 0; f < 4; f++) {
			cycle.frames[i][f].line += 7;
			cycle.frames[i][f].offset += 0x5000;
			cycle.frames[i][f].module = "/opt/other/p";
			cycle.frames[i][f].file = "moved.c";
		}
	}
	for (size_t i = 0; i < EDGES; i++)
		cycle.locks[i].name = "y";
	cycle.finding.count = 500;
	cycle.finding.level = DT_LEVEL_NOTE;
	assert_same(&cycle, true);
}

static void test_same_from_every_edge(void **state)
{
	struct cycle cycle, plain;

	(void)state;
	make_cycle(&plain);
	for (size_t turn = 1; turn < EDGES; turn++) {
		make_cycle(&cycle);
		for (size_t i = 0; i < 2 * EDGES; i++) {
			cycle.events[i] = plain.events[(i + 2 * turn) % (2 * EDGES)];
			cycle.events[i].stack.frames = cycle.frames[(i + 2 * turn) % (2 * EDGES)];
		}
		assert_same(&cycle, true);
	}
}

static void test_same_in_other_callers_and_clones(void **state)
{
	struct cycle cycle;

	(void)state;
	make_cycle(&cycle);
	cycle.frames[0][3].function = "other_main";
	cycle.frames[1][0].function = "lock_b.constprop.0";
	assert_same(&cycle, true);
}

static void test_same_through_a_wrapper(void **state)
{
	struct report_frame longer[5] = {{.function = "std::mutex::lock()"}};
	struct cycle cycle;

	(void)state;
	make_cycle(&cycle);
	memcpy(longer + 1, cycle.frames[2], sizeof(cycle.frames[2]));
	cycle.events[2].stack = (struct report_stack){.frames = longer, .count = 5};
	assert_same(&cycle, true);
}

static void test_other_after_other_code(void **state)
{
	struct cycle cycle;

	(void)state;
	make_cycle(&cycle);
	cycle.frames[0][1].function = "close_a";
	assert_same(&cycle, false);
	make_cycle(&cycle);
	cycle.locks[2].class_name = "other[].lock";
	assert_same(&cycle, false);
	make_cycle(&cycle);
	cycle.events[3].mode = DT_MODE_SHARED;
	assert_same(&cycle, false);
	make_cycle(&cycle);
	cycle.finding.rule = &dt_rules[DT_RULE_WAIT_WHILE_HOLDING];
	assert_same(&cycle, false);
	make_cycle(&cycle);
	cycle.finding.event_count -= 2;
	assert_same(&cycle, false);
}

static void test_without_symbols_by_offset(void **state)
{
	struct cycle cycle;
	char one[33], other[33];

	(void)state;
	make_cycle(&cycle);
	for (size_t f = 0; f < 4; f++)
		cycle.frames[0][f].function = NULL;
	print_of(&cycle, one);
	for (size_t f = 0; f < 4; f++)
		cycle.frames[0][f].module = "/elsewhere/p";
	print_of(&cycle, other);
	assert_string_equal(one, other);
	cycle.frames[0][0].offset++;
	print_of(&cycle, other);
	assert_string_not_equal(one, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_after_other_addresses_lines_and_threads),
	    cmocka_unit_test(test_same_from_every_edge),
	    cmocka_unit_test(test_same_in_other_callers_and_clones),
	    cmocka_unit_test(test_same_through_a_wrapper),
	    cmocka_unit_test(test_other_after_other_code),
	    cmocka_unit_test(test_without_symbols_by_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
