/* Suppressions: what an entry covers, and what is said of a wrong line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "suppress.h"

static struct report_frame frames[] = {
    {.function = "cache_get", .file = "/src/cache.c", .line = 88, .module = "/usr/lib/libcache.so.1"},
    {.function = NULL, .module = "/usr/bin/server"},
};
static struct report_lock locks[] = {{.id = 1, .name = "cache.lock"}, {.id = 2, .name = "accounts[1].lock"}};
static struct report_thread threads[] = {{.id = 2, .name = "teller", .start = "teller_main"}, {.id = 3}};
static struct report_event events[] = {{.stack = {.frames = frames, .count = 2}}};

static bool covers(const char *text)
{
	const struct report_finding finding = {
	    .rule = &dt_rules[DT_RULE_LOCK_ORDER_CYCLE],
	    .fingerprint = "00ff",
	    .locks = locks,
	    .lock_count = 2,
	    .threads = threads,
	    .thread_count = 2,
	    .events = events,
	    .event_count = 1,
	};
	struct suppressions *set = suppress_open();
	char *why = suppress_parse(set, "file", text);

	assert_null(why);
	bool covered = suppress_match(set, &finding);
	assert_int_equal(covered, suppress_unused(set, 0) == NULL);
	suppress_close(set);
	return covered;
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern;
		bool covered;
	} rows[] = {
	    {"cache_get", true},   {"ache_ge", true},      {"^cache_get$", true},  {"^ache", false},
	    {"cache_ge$", false},  {"c*e_*t", true},       {"^c*t$", true},        {"^c*x$", false},
	    {"*", true},           {"libcache.so", true},  {"/src/cache.c", true}, {"^/src/*.c$", true},
	    {"accounts[1]", true}, {"accounts[2]", false}, {"teller_main", false}, {"cache_get*lock", false},
	    {"^*get*get", false},  {"a*a*a", false},       {"**cache**", true},    {"^$", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char line[64];
		snprintf(line, sizeof(line), "deadlock:%s", rows[i].pattern);
		if (covers(line) != rows[i].covered)
			fail_msg("%s", line);
	}
}

static void test_rules(void **state)
{
	(void)state;
	assert_true(covers("lock-order-cycle:cache"));
	assert_true(covers("*:cache"));
	assert_false(covers("wait-while-holding:cache"));
	assert_false(covers("race:cache"));
	assert_false(covers("mutex:cache"));
	assert_true(covers("fingerprint:00ff"));
	assert_false(covers("fingerprint:00f"));
}

static void test_blocks(void **state)
{
	(void)state;
	assert_true(covers("{\n  the name\n  rule: deadlock\n  lock: cache\n  lock: accounts\n}"));
	assert_false(covers("{\n  the name\n  rule: deadlock\n  lock: cache\n  lock: queue\n}"));
	assert_true(covers("{\n  file: cache.c\n  module: server\n  thread: ^teller$\n  function: get\n}"));
	assert_false(covers("{\n  function: server\n}"));
}

static void test_books(void **state)
{
	struct suppressions *set = suppress_open();

	(void)state;
	assert_null(suppress_parse(set, "f", "deadlock:one\n\n{\n two\n lock: b\n}\n{\n lock: c\n}\n"));
	assert_string_equal(suppress_unused(set, 0), "f:1: deadlock:one");
	assert_string_equal(suppress_unused(set, 1), "f:3: two");
	assert_string_equal(suppress_unused(set, 2), "f:7: block without a name");
	assert_null(suppress_unused(set, 3));
	suppress_close(set);
}

static void test_wrong_lines(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"nonsense", "f:1: expected 'RULE:PATTERN' or '{', not 'nonsense'"},
	    {"\n dedlock : x", "f:2: no rule 'dedlock'; did you mean 'deadlock'?"},
	    {"lock-order-cylce:x", "f:1: no rule 'lock-order-cylce'; did you mean 'lock-order-cycle'?"},
	    {"deadlock:  ", "f:1: no pattern after 'deadlock'"},
	    {"{\n}", "f:2: a block without a condition would leave out everything"},
	    {"{\n x\n lock: a\n junk\n}", "f:4: expected 'KEY: PATTERN' or '}', not 'junk'"},
	    {"{\n x\n lok: a\n}", "f:3: no key 'lok'; did you mean 'lock'?"},
	    {"{\n lock:\n}", "f:2: no pattern after 'lock'"},
	    {"#\n{\n lock: a", "f:2: this block has no end ('}')"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct suppressions *set = suppress_open();
		char *why = suppress_parse(set, "f", rows[i].text);

		assert_non_null(why);
		assert_string_equal(why, rows[i].why);
		free(why);
		suppress_close(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_patterns),    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_blocks),      cmocka_unit_test(test_books),
	    cmocka_unit_test(test_wrong_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
