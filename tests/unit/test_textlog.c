/* Text logs: the facts that each event makes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <detect/log_read.h>

#include "failing_alloc.h"
#include "textlog.h"

static struct dt_textlog *text;
static struct dt_facts *facts;

static enum dt_err load(struct dt_alloc *alloc, const char *lines, struct dt_textlog_error *error)
{
	size_t size;
	uint64_t bad;

	facts = NULL;
	enum dt_err err = dt_textlog_read(&text, alloc, lines, strlen(lines), error);
	if (err)
		return err;
	err = dt_facts_new(&facts, alloc);
	if (err)
		return err;
	const void *bytes = dt_textlog_bytes(text, &size);
	return dt_log_read(facts, bytes, size, &bad);
}

static void unload(void)
{
	dt_facts_free(facts);
	dt_textlog_free(text);
}

static void begin(const char *lines)
{
	struct dt_textlog_error error = {0};

	if (load(&dt_alloc_libc, lines, &error))
		fail_msg("line %u: %s", error.line, error.text);
	assert_int_equal(dt_facts_dangling(facts), 0);
	assert_int_equal(dt_facts_unfinished(facts), 0);
}

static const char *const ops[DT_OPS] = {
    [DT_OP_ACQUIRE] = "got",        [DT_OP_HOLD] = "hold", [DT_OP_COND_WAIT] = "wait",
    [DT_OP_COND_SIGNAL] = "signal", [DT_OP_JOIN] = "join", [DT_OP_BARRIER_WAIT] = "barrier",
};

/* The acquisitions as text: "A > B read try @transfer:31 [T1]", one a line, in order of arrival. */
static const char *acquisitions(void)
{
	static char all[4096];
	size_t used = 0;

	all[0] = '\0';
	for (uint32_t i = 0; i < dt_facts_acq_count(facts); i++) {
		const struct dt_acq *chain[32], *a = dt_facts_acq_nth(facts, i);
		uint32_t depth = a->depth;
		for (uint32_t d = depth; d > 0; d--, a = dt_facts_acq(facts, a->parent))
			chain[d - 1] = a;
		for (uint32_t d = 0; d < depth; d++)
			used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", d ? " > " : "",
			                         chain[d]->op == DT_OP_JOIN
			                             ? dt_textlog_thread_name(text, chain[d]->lock)
			                             : dt_textlog_lock_name(text, chain[d]->lock));
		a = chain[depth - 1];
		const struct dt_stack *stack = dt_facts_stack(facts, a->stack);
		used += (size_t)snprintf(all + used, sizeof all - used, " %s%s%s%s%s", ops[a->op],
		                         a->mode == DT_MODE_SHARED ? " read" : "",
		                         a->wait == DT_WAIT_TRY     ? " try"
		                         : a->wait == DT_WAIT_TIMED ? " timed"
		                                                    : "",
		                         stack ? " @" : "",
		                         stack ? dt_textlog_place_name(text, stack->pc[0]) : "");
		for (uint32_t s = 0; s < a->segment_count; s++)
			used += (size_t)snprintf(
			    all + used, sizeof all - used, " [%s]",
			    dt_textlog_thread_name(text, dt_facts_segment(facts, a->segments[s])->thread));
		used += (size_t)snprintf(all + used, sizeof all - used, "\n");
	}
	return all;
}

static void expect_acquisitions(const char *lines, const char *wanted)
{
	begin(lines);
	assert_string_equal(acquisitions(), wanted);
	unload();
}

static void test_nesting(void **state)
{
	(void)state;
	expect_acquisitions("T1 got A\n"
	                    "T1 got B\n"
	                    "T1 want C\n"
	                    "T2 got D at f:1 > g:2\n",
	                    "A got @line:1 [T1]\n"
	                    "A > B got @line:2 [T1]\n"
	                    "A > B > C got @line:3 [T1]\n"
	                    "D got @g:2 [T2]\n");
}

static void test_one_acquisition_however_often(void **state)
{
	(void)state;
	expect_acquisitions("T1 at f:1\n"
	                    "T1 got A\nT1 got B\nT1 rel B\nT1 rel A\n"
	                    "T1 got A\nT1 got B\nT1 rel B\nT1 rel A\n"
	                    "T2 at f:1\n"
	                    "T2 got A\n",
	                    "A got @f:1 [T1] [T2]\n"
	                    "A > B got @f:1 [T1]\n");
}

static void test_modes_and_waits(void **state)
{
	(void)state;
	expect_acquisitions(
	    "lock S sem\nlock P spin\nlock R rwlock prefer-writer\n"
	    "T1 at ?\n"
	    "T1 got R read\nT1 got R read\nT1 want X read try\nT1 got Y timed\nT1 got P try\nT1 got S\n",
	    "R got read [T1]\n"
	    "R > X got read try [T1]\n"
	    "R > Y got timed [T1]\n"
	    "R > Y > P got try [T1]\n"
	    "R > Y > P > S got [T1]\n");
}

static void test_a_want_that_is_got_is_one(void **state)
{
	(void)state;
	expect_acquisitions("T1 got A\n"
	                    "T1 want B\n"
	                    "T1 got B\n"
	                    "T1 want C timed\n"
	                    "T1 got C timed\n"
	                    "T1 want D try\n"
	                    "T1 got E\n",
	                    "A got @line:1 [T1]\n"
	                    "A > B got @line:2 [T1]\n"
	                    "A > B > C got timed @line:4 [T1]\n"
	                    "A > B > C > D got try @line:6 [T1]\n"
	                    "A > B > C > E got @line:7 [T1]\n");
}

/* A is released under B: what comes then is done under a B that was acquired under nothing. */
static void test_release_out_of_order(void **state)
{
	(void)state;
	expect_acquisitions(
	    "T1 got A\nT1 got B\nT1 got C\nT1 rel A\nT1 got D\nT1 rel B\nT1 rel C\nT1 got E\n",
	    "A got @line:1 [T1]\n"
	    "A > B got @line:2 [T1]\n"
	    "A > B > C got @line:3 [T1]\n"
	    "B hold @line:2\n"
	    "B > C hold @line:3\n"
	    "B > C > D got @line:5 [T1]\n"
	    "D hold @line:5\n"
	    "D > E got @line:8 [T1]\n");
	/* Nothing comes: no trace. */
	expect_acquisitions("T1 got A\nT1 got B\nT1 rel A\nT1 rel B\n",
	                    "A got @line:1 [T1]\nA > B got @line:2 [T1]\n");
}

static void test_recursion_is_counted(void **state)
{
	(void)state;
	expect_acquisitions("lock A mutex recursive\n"
	                    "T1 got A\nT1 got B\nT1 got A\nT1 want A\nT1 rel A\nT1 got C\n",
	                    "A got @line:2 [T1]\n"
	                    "A > B got @line:3 [T1]\n"
	                    "A > B > C got @line:7 [T1]\n");
	/* One that is not recursive is wanted: the thread waits for itself. */
	expect_acquisitions("T1 got A\nT1 want A\n", "A got @line:1 [T1]\nA > A got @line:2 [T1]\n");
}

static void test_condition_wait(void **state)
{
	(void)state;
	expect_acquisitions("lock M recursive\n"
	                    "T1 got L\nT1 got M\nT1 got M\nT1 got N\n"
	                    "T1 wait C M timed\n"
	                    "T2 got M\nT2 signal C\nT2 rel M\n"
	                    "T1 got X\n"
	                    "T1 rel M\nT1 rel M\n"
	                    "T2 got M\n",
	                    "L got @line:2 [T1]\n"
	                    "L > M got @line:3 [T1]\n"
	                    "L > M > N got @line:5 [T1]\n"
	                    "L > N hold @line:5\n"
	                    "L > N > C wait timed @line:6 [T1]\n"
	                    "L > N > M got @line:6 [T1]\n"
	                    "M got @line:7 [T2]\n"
	                    "M > C signal @line:8 [T2]\n"
	                    "L > N > M > X got @line:10 [T1]\n"
	                    "M got @line:13 [T2]\n");
}

static void test_join_under_a_lock(void **state)
{
	(void)state;
	expect_acquisitions("T1 create T2 worker\n"
	                    "T1 got A\n"
	                    "T1 join T2\n"
	                    "T2 got B\n",
	                    "A got @line:2 [T1]\n"
	                    "A > T2 join @line:3 [T1]\n"
	                    "B got @line:4 [T2]\n");
}

/* The segment in which `thread` was seen with `lock` first. */
static uint32_t segment_at(const char *lock)
{
	uint32_t id = dt_textlog_lock_id(text, lock);

	for (uint32_t i = 0; i < dt_facts_acq_count(facts); i++)
		if (dt_facts_acq_nth(facts, i)->lock == id && dt_facts_acq_nth(facts, i)->op == DT_OP_ACQUIRE)
			return dt_facts_acq_nth(facts, i)->segments[0];
	fail_msg("%s was not got", lock);
	return 0;
}

static void expect_order(const char *first, const char *second, bool ordered)
{
	uint32_t a = segment_at(first), b = segment_at(second);

	if (dt_facts_happens_before(facts, a, b) != ordered)
		fail_msg("%s %s %s", first, ordered ? "should be before" : "should not be ordered with",
		         second);
	if (a != b)
		assert_false(dt_facts_happens_before(facts, b, a));
}

static void test_create_and_join_order(void **state)
{
	(void)state;
	begin("T1 got A\nT1 rel A\n"
	      "T1 create T2\n"
	      "T1 got B\n"
	      "T2 got C\nT2 rel C\n"
	      "T3 got D\n"
	      "T1 join T2\n"
	      "T2 got E\n"
	      "T1 got F\n");
	expect_order("A", "B", true);
	expect_order("A", "C", true);
	expect_order("B", "C", false);
	expect_order("A", "D", false);
	expect_order("C", "F", true);
	expect_order("E", "F", true);
	expect_order("D", "F", false);
	unload();
}

static void test_barrier_order(void **state)
{
	(void)state;
	begin("barrier X 2\n"
	      "T1 got A\nT2 got B\n"
	      "T1 barrier X\nT2 barrier X\n"
	      "T1 got C\nT2 got D\nT3 got E\n"
	      "T2 barrier X\nT1 barrier X\n"
	      "T1 got F\n");
	expect_order("A", "B", false);
	expect_order("A", "D", true);
	expect_order("B", "C", true);
	expect_order("C", "D", false);
	expect_order("D", "F", true);
	expect_order("E", "F", false);
	unload();
}

static void test_once_order(void **state)
{
	(void)state;
	begin("T1 got A\nT1 rel A\nT1 once O\nT1 got B\n"
	      "T2 got C\nT2 once O\nT2 got D\n");
	expect_order("A", "B", true);
	expect_order("A", "D", true);
	expect_order("A", "C", false);
	expect_order("B", "D", false);
	expect_order("C", "B", false);
	unload();
}

static void test_names(void **state)
{
	uint32_t line;

	(void)state;
	begin("  # nothing\r\n"
	      "\n"
	      "T1 create T2 worker:1   # starts there\r\n"
	      "T2 name teller\n"
	      "T1 at main:10 > run:5 > transfer:31\n"
	      "T1 got A at other:1\n"
	      "T1 got B\n"
	      "T1 rel A\nT1 destroy A\nT1 got A\n"
	      "T2 exit\n"
	      "expect lock-order-cycle warning A B  # why\n"
	      "\texpect\t none \n"
	      "expect\n"
	      "expectant got Z");
	assert_int_equal(dt_textlog_thread_id(text, "T1"), 1);
	assert_int_equal(dt_textlog_thread_id(text, "T2"), 2);
	assert_int_equal(dt_textlog_thread_id(text, "T4"), 0);
	assert_string_equal(dt_textlog_thread_name(text, 3), "expectant");
	assert_null(dt_textlog_thread_name(text, 4));
	assert_null(dt_textlog_thread_name(text, 0));
	const struct dt_thread *teller = dt_facts_thread(facts, 2);
	assert_string_equal(teller->name, "teller");
	assert_true(teller->ended);
	assert_int_equal(teller->parent, 1);
	assert_string_equal(dt_textlog_place_name(text, teller->start_function), "worker:1");
	assert_string_equal(dt_textlog_place_name(text, dt_facts_stack(facts, teller->create_stack)->pc[0]),
	                    "line:3");
	assert_string_equal(dt_textlog_lock_name(text, 1), "A");
	assert_string_equal(dt_textlog_lock_name(text, 3), "A");
	assert_int_equal(dt_textlog_lock_id(text, "A"), 3);
	assert_true(dt_facts_lock(facts, 1)->ended);
	assert_false(dt_facts_lock(facts, 3)->ended);
	assert_int_equal(dt_facts_lock(facts, 1)->made->address, dt_facts_lock(facts, 3)->made->address);
	assert_null(dt_textlog_lock_name(text, 5));
	assert_null(dt_textlog_lock_name(text, 0));
	const struct dt_stack *stack = dt_facts_stack(facts, dt_facts_lock(facts, 2)->made->first_stack);
	assert_int_equal(stack->count, 3);
	assert_string_equal(dt_textlog_place_name(text, stack->pc[0]), "transfer:31");
	assert_string_equal(dt_textlog_place_name(text, stack->pc[0] - 1), "transfer:31");
	assert_string_equal(dt_textlog_place_name(text, stack->pc[2]), "main:10");
	assert_ptr_equal(dt_facts_module_at(facts, stack->pc[2], stack->order),
	                 dt_facts_module_nth(facts, 0));
	assert_null(dt_textlog_place_name(text, 0));
	assert_null(dt_textlog_place_name(text, UINT64_MAX));
	assert_string_equal(dt_textlog_expect(text, 0, &line), "lock-order-cycle warning A B");
	assert_int_equal(line, 12);
	assert_string_equal(dt_textlog_expect(text, 1, NULL), "none");
	assert_string_equal(dt_textlog_expect(text, 2, NULL), "");
	assert_null(dt_textlog_expect(text, 3, NULL));
	unload();
}

static void test_flags(void **state)
{
	static const struct {
		const char *lines;
		enum dt_lock_kind kind;
		uint32_t flags;
	} cases[] = {
	    {"T1 got A", DT_LOCK_MUTEX, 0},
	    {"T1 got A read", DT_LOCK_RWLOCK, 0},
	    {"lock A rwlock prefer-writer\nT1 got A", DT_LOCK_RWLOCK, DT_LOCK_PREFER_WRITER},
	    {"lock A errorcheck class\nT1 got A", DT_LOCK_MUTEX, DT_LOCK_ERRORCHECK | DT_LOCK_CLASS},
	    {"lock A spin\nT1 got A", DT_LOCK_SPIN, 0},
	    {"lock A sem\nT1 got A\nT2 got A", DT_LOCK_SEM, 0},
	    {"lock A class\nT1 got A\nT2 got A", DT_LOCK_MUTEX, DT_LOCK_CLASS},
	    {"cond A\nT1 broadcast A", DT_LOCK_COND, 0},
	    {"barrier A 3\nT1 barrier A", DT_LOCK_BARRIER, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(cases[i].lines);
		assert_int_equal(dt_facts_lock(facts, 1)->kind, cases[i].kind);
		assert_int_equal(dt_facts_lock(facts, 1)->flags, cases[i].flags);
		unload();
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *lines;
		uint32_t line;
		const char *why;
	} cases[] = {
	    {"T1", 1, "T1: a verb is missing"},
	    {"\nT1 gott A", 2, "gott is nothing that a thread does"},
	    {"lok A recursive", 1, "A is nothing that a thread does"},
	    {"T1 got", 1, "got: a word is missing"},
	    {"T1 rel A B", 1, "rel: too many words"},
	    {"T1 got A write", 1, "write: not read, try or timed"},
	    {"T1 got A\nT2 join T1 try", 2, "try: not timed"},
	    {"T1 got A\nT2 got A", 2, "T2 can't get A: it is held by T1"},
	    {"T1 got A\nT1 got A", 2, "T1 can't get A: it is held by T1"},
	    {"T1 got A read\nT2 got A read\nT2 got B\nT3 got A", 4, "T3 can't get A: it is held for reading"},
	    {"T1 got A\nT2 want A\nT2 got B", 3, "T2 still wants A"},
	    {"T1 got A\nT2 want A\nT2 got A try", 3, "T2 still wants A"},
	    {"T1 rel A", 1, "T1 does not hold A"},
	    {"T1 got A\nT1 rel A\nT1 rel A", 3, "T1 does not hold A"},
	    {"T1 got A\nT2 rel A", 2, "T2 does not hold A"},
	    {"T1 wait C M", 1, "T1 does not hold M"},
	    {"T1 got M\nT1 wait C M\nT2 got M\nT1 rel M", 4, "T1 can't get M: it is held by T2"},
	    {"T1 got C\nT1 signal C", 2, "C is something else"},
	    {"cond C\nT1 got C", 2, "C is no lock"},
	    {"T1 got A\nT2 got A read", 2, "A is no rwlock"},
	    {"T1 join T2", 1, "T2 is no thread"},
	    {"T1 join T1", 1, "T1 can't join itself"},
	    {"T1 create T2\nT1 create T2", 2, "T2 is there already"},
	    {"T1 create T2\nT1 join T2\nT1 got A\nT2 got B", 4, "T2 has ended"},
	    {"T1 create T2\nT2 got A\nT1 got B\nT2 want B\nT1 join T2\nT1 rel B", 6,
	     "T1 can't have joined T2, which waits"},
	    {"T1 exit\nT1 got A", 2, "T1 has ended"},
	    {"T1 barrier X", 1, "X is no barrier: declare it, with its count"},
	    {"barrier X 2\nT1 barrier X\nT1 got A", 3, "T1 waits at a barrier"},
	    {"barrier X", 1, "barrier: a name and a count are wanted"},
	    {"barrier X 0", 1, "0 is no count of threads"},
	    {"barrier X 2x", 1, "2x is no count of threads"},
	    {"barrier X 99999999999", 1, "99999999999 is no count of threads"},
	    {"lock A\nlock A", 2, "A is there already"},
	    {"lock A fast", 1, "fast is nothing that a lock can be"},
	    {"lock", 1, "lock: a name is missing"},
	    {"cond C 1", 1, "cond: too many words"},
	    {"T1 destroy A", 1, "A is not there"},
	    {"T1 got A\nT1 destroy A", 2, "T1 can't destroy A: it is in use"},
	    {"T1 at", 1, "at: a place is missing"},
	    {"T1 at f:1 >", 1, "at: a place is missing"},
	    {"T1 at f:1 , g:2", 1, ",: not >"},
	    {"T1 got A at", 1, "at: a place is missing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct failing_alloc alloc = failing_alloc(0);
		struct dt_textlog_error error = {0};
		if (load(&alloc.alloc, cases[i].lines, &error) != DT_ERR_SYNTAX)
			fail_msg("not refused: %s", cases[i].lines);
		assert_string_equal(error.text, cases[i].why);
		assert_int_equal(error.line, cases[i].line);
		assert_null(text);
		assert_int_equal(alloc.used_bytes, 0);
	}
	assert_int_equal(dt_textlog_read(&text, &dt_alloc_libc, "T1", 2, NULL), DT_ERR_SYNTAX);
	assert_int_equal(dt_textlog_read(&text, &dt_alloc_libc, "T1 got\0A", 8, NULL), DT_ERR_SYNTAX);
}

static void test_long_lines(void **state)
{
	struct dt_textlog_error error;
	char line[2000] = "T1 at a";

	(void)state;
	for (int i = 1; i < 64; i++)
		strcat(line, " > a");
	begin(line);
	unload();
	strcat(line, " > a");
	assert_int_equal(load(&dt_alloc_libc, line, &error), DT_ERR_SYNTAX);
	assert_string_equal(error.text, "at: too many places");
	for (int i = 0; i < 100; i++)
		strcat(line, " > a");
	assert_int_equal(load(&dt_alloc_libc, line, &error), DT_ERR_SYNTAX);
	assert_string_equal(error.text, "too many words");
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	assert_int_equal(load(&dt_alloc_libc, line, &error), DT_ERR_SYNTAX);
	assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

/* Whatever request is refused: it is said, and nothing is lost. */
static void test_no_memory(void **state)
{
	static const char lines[] = "lock R rwlock\nbarrier X 2\n"
	                            "T1 at main:10 > run:5\n"
	                            "T1 create T2 worker\nT2 name teller\n"
	                            "T1 got A\nT1 got B\nT1 rel A\nT1 got R read\n"
	                            "T2 got M\nT2 wait C M\nT1 signal C\nT2 rel M\n"
	                            "T1 barrier X\nT2 barrier X\nT1 once O\nT2 once O\n"
	                            "T1 join T2 timed\nT2 exit\nT1 rel B\nT1 destroy B\nT1 got B\n"
	                            "expect none\n";

	(void)state;
	for (uint32_t n = 1;; n++) {
		struct failing_alloc alloc = failing_alloc(n);
		struct dt_textlog_error error = {0};
		enum dt_err err = load(&alloc.alloc, lines, &error);
		unload();
		if (alloc.used_bytes)
			fail_msg("%zu bytes lost when request %u was refused", alloc.used_bytes, n);
		if (alloc.requests < n) {
			assert_int_equal(err, DT_OK);
			assert_true(n > 30);
			return;
		}
		assert_int_equal(err, DT_ERR_NOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nesting),
	    cmocka_unit_test(test_one_acquisition_however_often),
	    cmocka_unit_test(test_modes_and_waits),
	    cmocka_unit_test(test_a_want_that_is_got_is_one),
	    cmocka_unit_test(test_release_out_of_order),
	    cmocka_unit_test(test_recursion_is_counted),
	    cmocka_unit_test(test_condition_wait),
	    cmocka_unit_test(test_join_under_a_lock),
	    cmocka_unit_test(test_create_and_join_order),
	    cmocka_unit_test(test_barrier_order),
	    cmocka_unit_test(test_once_order),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
