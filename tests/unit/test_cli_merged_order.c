/* The order between roles that merged facts keep: numbers go along it, contradictions order nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "merged_order.h"

#define IDS 64

/* What was told: reach[a][b] when a happens before b or is b. */
struct told {
	uint32_t thread[IDS];
	bool known[IDS], reach[IDS][IDS];
};

static void tell(void *context, uint32_t id, uint32_t thread, uint32_t pred)
{
	struct told *told = context;

	assert_in_range(id, 1, IDS - 1);
	assert_true(pred < id);
	if (told->known[id])
		assert_int_equal(told->thread[id], thread);
	told->known[id] = told->reach[id][id] = true;
	told->thread[id] = thread;
	if (pred)
		told->reach[pred][id] = true;
}

static void close_order(struct told *told)
{
	for (int via = 0; via < IDS; via++)
		for (int a = 0; a < IDS; a++)
			for (int b = 0; b < IDS; b++)
				told->reach[a][b] |= told->reach[a][via] && told->reach[via][b];
}

static bool before(struct merged_order *order, const struct told *told, uint32_t a, uint32_t b)
{
	return told->reach[merged_order_number(order, a)][merged_order_number(order, b)];
}

static void test_before_and_after(void **state)
{
	struct merged_order *order = merged_order_open(2);
	struct told told = {0};

	(void)state;
	uint32_t early = merged_order_add_phase(order), late = merged_order_add_phase(order),
	         during = merged_order_add_phase(order), worker = merged_order_add_phase(order);
	merged_order_set(order, early, 1, 'b');
	merged_order_set(order, late, 1, 'a');
	merged_order_set(order, during, 1, 'd');
	merged_order_set(order, worker, 0, 'd');
	uint32_t main_early = merged_order_segment(order, 1, 0, early);
	uint32_t main_late = merged_order_segment(order, 1, 0, late);
	uint32_t main_during = merged_order_segment(order, 1, 0, during);
	uint32_t work = merged_order_segment(order, 2, 1, worker),
	         other = merged_order_segment(order, 3, 1, worker);
	assert_int_equal(merged_order_segment(order, 1, 0, early), main_early);
	merged_order_lay_out(order, tell, &told);
	close_order(&told);
	assert_true(before(order, &told, main_early, work));
	assert_true(before(order, &told, main_early, other));
	assert_true(before(order, &told, work, main_late));
	assert_true(before(order, &told, main_early, main_late));
	assert_false(before(order, &told, main_during, work));
	assert_false(before(order, &told, work, main_during));
	assert_false(before(order, &told, work, other));
	assert_int_equal(told.thread[merged_order_number(order, other)], 3);
	merged_order_close(order);
}

static void test_contradictions_order_nothing(void **state)
{
	struct merged_order *order = merged_order_open(2);
	struct told told = {0};

	(void)state;
	uint32_t a = merged_order_add_phase(order), b = merged_order_add_phase(order);
	merged_order_set(order, a, 1, 'b');
	merged_order_set(order, b, 0, 'b');
	uint32_t first = merged_order_segment(order, 1, 0, a), second = merged_order_segment(order, 2, 1, b);
	merged_order_lay_out(order, tell, &told);
	close_order(&told);
	assert_false(before(order, &told, first, second) && before(order, &told, second, first));
	merged_order_close(order);
}

static void test_completing(void **state)
{
	static const struct {
		char own, others[2], wanted;
	} rows[] = {
	    {0, {'b', 0}, 'b'}, {0, {'a', 0}, 'a'},     {0, {'b', 'd'}, 0},   {0, {'b', 'a'}, 0},
	    {0, {0, 0}, 0},     {'d', {'b', 'b'}, 'd'}, {'b', {'d', 0}, 'b'}, {0, {'b', 'b'}, 'b'},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct merged_order *order = merged_order_open(2);
		struct told told = {0};
		uint32_t own = merged_order_add_phase(order), worker = merged_order_add_phase(order);

		merged_order_set(order, own, 1, rows[i].own);
		merged_order_set(order, worker, 0, 'd');
		merged_order_begin_group(order);
		merged_order_join(order, 0, own);
		for (int o = 0; o < 2; o++) {
			uint32_t other = merged_order_add_phase(order);
			merged_order_set(order, other, 1, rows[i].others[o]);
			merged_order_join(order, 0, other);
		}
		uint32_t whole = merged_order_complete(order, 0, own);
		assert_int_equal(merged_order_complete(order, 0, own), whole);
		uint32_t mine = merged_order_segment(order, 1, 0, whole),
		         theirs = merged_order_segment(order, 2, 1, worker);
		merged_order_lay_out(order, tell, &told);
		close_order(&told);
		assert_int_equal(before(order, &told, mine, theirs), rows[i].wanted == 'b');
		assert_int_equal(before(order, &told, theirs, mine), rows[i].wanted == 'a');
		merged_order_close(order);
	}
}

/* Any relations at all: every segment gets a number of its own, and no order goes backwards (tell). */
static void test_random(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 300; round++) {
		uint32_t roles = 1 + (uint32_t)rand() % 5, phases = 1 + (uint32_t)rand() % 6, count = 0;
		struct merged_order *order = merged_order_open(roles);
		struct told told = {0};

		for (uint32_t p = 0; p < phases; p++) {
			merged_order_add_phase(order);
			for (uint32_t r = 0; r < roles; r++)
				merged_order_set(order, p, r, "\0bad"[rand() % 4]);
		}
		for (int s = 0; s < 20; s++) {
			uint32_t segment =
			    merged_order_segment(order, 1 + (uint32_t)rand() % 6, (uint32_t)rand() % roles,
			                         (uint32_t)rand() % phases);
			count = segment + 1 > count ? segment + 1 : count;
		}
		merged_order_lay_out(order, tell, &told);
		bool used[IDS] = {0};
		for (uint32_t s = 0; s < count; s++) {
			uint32_t number = merged_order_number(order, s);
			assert_in_range(number, 1, IDS - 1);
			assert_false(used[number]);
			assert_true(told.thread[number] != 0);
			used[number] = true;
		}
		merged_order_close(order);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_before_and_after),
	    cmocka_unit_test(test_contradictions_order_nothing),
	    cmocka_unit_test(test_completing),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
