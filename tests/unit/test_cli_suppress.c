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
    {.function = "ns::put(int)", .file = "/src/put.cc", .line = 7, .module = "/usr/lib/libcache.so.1"},
    {.function = "cache_get", .file = "/src/cache.c", .line = 88, .module = "/usr/lib/libcache.so.1"},
    {.function = NULL, .module = "/usr/bin/server"},
};
static struct report_lock locks[] = {{.id = 1, .name = "cache.lock", .class_name = "cache.lock"},
                                     {.id = 2, .name = "accounts[1].lock", .class_name = "accounts[].lock"}};
static struct report_thread threads[] = {{.id = 2, .name = "teller", .start = "teller_main"}, {.id = 3}};
static const uint32_t held[] = {1};
static struct report_event events[] = {
    {.kind = DT_EVENT_HOLD, .lock = 1, .stack = {.frames = frames + 1, .count = 2}},
    {.kind = DT_EVENT_ACQUIRE,
     .lock = 2,
     .holding = held,
     .holding_count = 1,
     .stack = {.frames = frames, .count = 3}},
};

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
	    .event_count = 2,
	};
	struct suppressions *set = suppress_open();
	char *why = suppress_parse(set, "file", text);

	if (why)
		fail_msg("%s", why);
	bool covered = suppress_match(set, &finding);
	assert_int_equal(covered, suppress_used(set, 0) != NULL);
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

static void test_edges(void **state)
{
	(void)state;
	assert_true(covers("{\n edge: cache -> accounts\n}"));
	assert_true(covers("{\n edge: ^cache.lock$ -> ^accounts[].lock$\n}"));
	assert_false(covers("{\n edge: accounts -> cache\n}"));
	assert_true(covers("{\n class: ^accounts[].lock$\n}"));
	assert_false(covers("{\n class: accounts[1]\n}"));
}

static void test_stacks(void **state)
{
	static const struct {
		const char *lines;
		bool covered;
	} rows[] = {
	    {"fun:cache_get", true},
	    {"fun:cache_ge?", true},
	    {"fun:cache_ge", false},
	    {"fun:server", false},
	    {"fun:cache_get\nobj:*/server", true},
	    {"fun:cache_get\nobj:server", false},
	    {"...\nobj:*/server", true},
	    {"fun:ns::put\n...\nobj:*server", true},
	    {"fun:ns::put\nobj:*server", false},
	    {"fun:ns::put(int)", true},
	    {"fun:_ZN2ns3putEi", true},
	    {"fun:_ZN2ns3p*", true},
	    {"fun:_ZN2ns3g*", false},
	    {"fun:_ZN2ns*", true},
	    {"fun:_ZN2ns3getEi", false},
	    {"src:put.cc:7", true},
	    {"src:put.cc:8", false},
	    {"src:put.cc", true},
	    {"src:*.cc:*\nfun:cache_get", true},
	    {"fun:ns::put\nfun:cache_get\nobj:*\nfun:main", false},
	    {"fun:ns::put\nfun:cache_get\nobj:*\n...", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char ours[160], theirs[256];
		snprintf(ours, sizeof(ours), "{\n stack:\n%s\n}", rows[i].lines);
		snprintf(theirs, sizeof(theirs),
		         "{\n  <a: name>\n  Helgrind:LockOrder\n  fun:mutex_lock_WRK\n  "
		         "fun:pthread_mutex_lock\n%s\n"
		         "  fun:mythread_wrapper\n  fun:start_thread\n}",
		         rows[i].lines);
		if (covers(ours) != rows[i].covered || covers(theirs) != rows[i].covered)
			fail_msg("%s", rows[i].lines);
	}
	assert_true(covers("{\n stack:\n fun:cache_get\n stack:\n fun:ns::*\n}"));
	assert_false(covers("{\n stack:\n fun:cache_get\n stack:\n fun:queue_*\n}"));
	assert_false(covers("{\n x\n Helgrind:Race\n fun:cache_get\n}"));
	assert_false(covers("{\n x\n drd:ConflictingAccess\n fun:cache_get\n}"));
	assert_true(covers("{\n x\n Memcheck,Helgrind:LockOrder\n fun:cache_get\n}"));
	/* Before the kind is the name, whatever it looks like. */
	assert_true(covers("{\n fun:cache_get\n # why\n\n Helgrind:LockOrder\n fun:cache_get\n}"));
	assert_true(covers("{\n rule: ours\n Memcheck,Helgrind:LockOrder\r\n fun:cache_get\n}"));
	assert_true(covers("{\n Helgrind:Race\n Helgrind:LockOrder\n fun:cache_get\n}"));
	assert_false(covers("{\n Helgrind:LockOrder\n Helgrind:Race\n fun:cache_get\n}"));
	assert_false(covers("{\n Helgrind:LockOrder\n Memcheck:Cond\n fun:cache_get\n}"));
	assert_true(covers("called_from_lib:libcache"));
	assert_false(covers("called_from_lib:server"));
}

/* Entries that can't match are not said to be unused: a file serves several tools. */
static void test_other_tools(void **state)
{
	struct suppressions *set = suppress_open();

	(void)state;
	assert_null(suppress_parse(set, "f",
	                           "{\n a\n Memcheck:Leak\n match-leak-kinds: definite\n fun:malloc\n}\n"
	                           "{\n b\n Memcheck:Param\n write(buf)\n ...\n}\nthread:x\n"));
	assert_null(suppress_unused(set, 0));
	suppress_load_default(set);
	assert_null(suppress_unused(set, 0));
	suppress_close(set);
	set = suppress_open();
	char *why = suppress_parse(set, "built in", suppress_default_text);
	if (why)
		fail_msg("%s", why);
	suppress_close(set);
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
	    {"{\n x\n Helgrind:LockOrde\n}",
	     "f:3: no kind of error 'Helgrind:LockOrde'; did you mean 'Helgrind:LockOrder'?"},
	    {"{\n x\n DRD:MutexErr\n lock: a\n}",
	     "f:4: expected 'fun:', 'obj:', 'src:', '...' or '}', not 'lock: a'"},
	    {"{\n x\n DRD:MutexErr\n fun:\n}", "f:4: no pattern after 'fun:'"},
	    {"{\n edge: a\n}", "f:2: expected 'edge: HELD -> WANTED', not 'a'"},
	    {"{\n stack: main\n}", "f:2: expected nothing after 'stack:' but frames below it, not 'main'"},
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
	    cmocka_unit_test(test_wrong_lines), cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_stacks),      cmocka_unit_test(test_other_tools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
