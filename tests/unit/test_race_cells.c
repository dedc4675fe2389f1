/* A new access against four cells, by vectors, against the same lane by lane; and what an exact access
 * promises. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "race/cells.h"

enum { RANDOM_ROUNDS = 2000000, MEETINGS = 100000, MOST_THREADS = 4 };

static uint64_t state = 88172645463325252u;

static uint32_t chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % below);
}

/* Of few slots, epochs and sizes, so that they meet. */
static race_cell some_cell(void)
{
	unsigned log = chance(4), first = chance(8u >> log) << log;
	uint32_t mask = ((1u << (1u << log)) - 1) << first;
	if (!chance(4))
		mask |= 1u << chance(8);
	return race_stamp(chance(3), 1 + chance(3)) | mask | (chance(2) ? RACE_READ : 0) |
	       (chance(4) ? 0 : RACE_ATOMIC);
}

static bool conflicts(race_cell old, race_cell cell)
{
	return old & cell & RACE_MASK && !(old & cell & RACE_READ) && !(old & cell & RACE_ATOMIC);
}

static bool covers(race_cell cell, race_cell old)
{
	return !(old & RACE_MASK & ~cell) && (!(cell & RACE_READ) || old & RACE_READ) &&
	       (!(cell & RACE_ATOMIC) || old & RACE_ATOMIC);
}

static bool is_known(race_cell old, race_cell cell)
{
	if ((old ^ cell) & RACE_STAMP || (cell & RACE_MASK & ~old) || (old ^ cell) & RACE_ATOMIC)
		return false;
	return (old & RACE_READ) == (cell & RACE_READ) || cell & RACE_READ;
}

struct four {
	race_cell cells[RACE_CELLS] __attribute__((aligned(16)));
};

static struct four some_cells(void)
{
	struct four four;
	for (int i = 0; i < RACE_CELLS; i++)
		four.cells[i] = chance(4) ? some_cell() : 0;
	return four;
}

/* Of other slots some, of its own all that there are: what judging would give. */
static unsigned some_before(const struct four *four, race_cell cell, bool *own)
{
	unsigned bits = 0;
	for (unsigned i = 0; i < RACE_CELLS; i++) {
		own[i] = race_cell_slot(four->cells[i]) == race_cell_slot(cell);
		if (four->cells[i] && (own[i] || chance(2)))
			bits |= 1u << i;
	}
	return bits;
}

static void test_lanes(void **unused)
{
	(void)unused;
	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		struct four four = some_cells();
		race_cell cell = some_cell(), stamp = some_cell();
		__m128i old = race_load(four.cells);
		unsigned known = 0;
		for (unsigned i = 0; i < RACE_CELLS; i++) {
			race_cell one = four.cells[i];
			known |= is_known(one, cell);
			assert_int_equal(race_bits(race_conflict(old, cell)) >> i & 1, conflicts(one, cell));
			assert_int_equal(race_bits(race_weaker(old, cell)) >> i & 1, covers(cell, one));
			assert_int_equal(race_bits(race_apart(old, cell)) >> i & 1,
			                 !(one & cell & RACE_MASK));
			assert_int_equal(race_bits(race_own(old, cell)) >> i & 1,
			                 race_cell_slot(one) == race_cell_slot(cell));
			assert_int_equal(race_bits(race_stamped(old, race_each(stamp))) >> i & 1,
			                 !((one ^ stamp) & RACE_STAMP));
		}
		assert_int_equal(race_seen(four.cells, cell & ~(race_cell)RACE_READ, cell & RACE_FLAGS),
		                 known);
		for (unsigned bits = 0; bits < 1u << RACE_CELLS; bits++)
			assert_int_equal(race_bits(race_lanes(bits)), bits);
	}
}

/* Nothing that may still race with somebody is lost while there is room, and what is made one says the same.
 */
static void test_room(void **unused)
{
	(void)unused;
	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		struct four four = some_cells(), were = four;
		race_cell cell = some_cell();
		bool own[RACE_CELLS];
		unsigned before = some_before(&four, cell, own);
		__m128i old = race_load(four.cells), known = race_lanes(before);
		unsigned suspects = race_suspects(old, cell, known);
		struct race_room room = race_find_room(old, cell, known);
		bool any = false;
		for (unsigned i = 0; i < RACE_CELLS; i++) {
			race_cell one = four.cells[i];
			bool stands_for = before >> i & 1 && covers(cell, one),
			     same = one && !((one ^ cell) & ~(race_cell)RACE_MASK);
			assert_int_equal(suspects >> i & 1, conflicts(one, cell) && !(before >> i & 1));
			any |= !one || stands_for || same;
			if (i == room.at && !room.none) {
				assert_int_equal(room.same, same);
				assert_true(same || stands_for || !one);
			}
			assert_int_equal(room.leftover >> i & 1,
			                 one && stands_for && !own[i] && i != room.at);
		}
		assert_int_equal(room.none, !any);
		if (!room.leftover)
			race_put(four.cells, &room, cell);
		else
			assert_true(race_swap(four.cells, &old, &room, cell));
		for (unsigned i = 0; i < RACE_CELLS; i++)
			assert_int_equal(four.cells[i], i == room.at
			                                    ? (room.same ? were.cells[i] | cell : cell)
			                                : room.leftover >> i & 1 ? 0
			                                                         : were.cells[i]);
		assert_true(race_seen(four.cells, cell & ~(race_cell)RACE_READ, cell & RACE_FLAGS));
	}
}

static void test_swap_tells_what_has_come(void **unused)
{
	(void)unused;
	for (int round = 0; round < 1000; round++) {
		struct four four = some_cells(), now = four;
		__m128i old = race_load(four.cells);
		struct race_room room = {false, false, chance(RACE_CELLS), 0};
		now.cells[chance(RACE_CELLS)] ^= 1u << chance(32);
		struct four is = now;
		assert_false(race_swap(is.cells, &old, &room, some_cell()));
		assert_memory_equal(&is, &now, sizeof now);
		assert_memory_equal(&old, &now, sizeof now);
	}
}

/* ---- threads that meet at one word ---- */

static struct four words[MEETINGS];
static uint8_t judged[MOST_THREADS][MEETINGS]; /* a bit for each other thread */
static uint32_t arrived;

/* Everybody at the same moment. */
static void meet(uint32_t number, uint32_t threads)
{
	__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
	for (unsigned i = 0; __atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < (number + 1) * threads; i++)
		if (i > 1000)
			sched_yield();
}

struct party {
	uint32_t slot, threads;
};

/* As access.c does it, where nobody comes before anybody. */
static void *write_all(void *arg)
{
	const struct party *self = arg;
	race_cell cell = race_stamp(self->slot, 1) | RACE_MASK;
	for (uint32_t at = 0; at < MEETINGS; at++) {
		race_cell *cells = words[at].cells;
		meet(at, self->threads);
		__m128i old = race_load(cells);
		struct race_room room;
		do {
			struct four four;
			memcpy(&four, &old, sizeof four);
			for (unsigned i = 0; i < RACE_CELLS; i++)
				if (race_suspects(old, cell, race_own(old, cell)) >> i & 1)
					judged[self->slot][at] |=
					    (uint8_t)(1u << race_cell_slot(four.cells[i]));
			room = race_find_room(old, cell, race_own(old, cell));
		} while (!race_swap(cells, &old, &room, cell));
	}
	return NULL;
}

/* Of any two exact accesses to one word, one has judged the other. */
static void exact(uint32_t threads)
{
	pthread_t ids[MOST_THREADS];
	struct party parties[MOST_THREADS];
	memset(words, 0, sizeof words);
	memset(judged, 0, sizeof judged);
	arrived = 0;
	for (uint32_t i = 0; i < threads; i++) {
		parties[i] = (struct party){i, threads};
		assert_int_equal(pthread_create(&ids[i], NULL, write_all, &parties[i]), 0);
	}
	for (uint32_t i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	for (uint32_t at = 0; at < MEETINGS; at++)
		for (uint32_t a = 0; a < threads; a++)
			for (uint32_t b = 0; b < a; b++)
				assert_true(judged[a][at] >> b & 1 || judged[b][at] >> a & 1);
}

static void test_two_at_once(void **unused)
{
	(void)unused;
	exact(2);
}

static void test_as_many_as_cells_at_once(void **unused)
{
	(void)unused;
	exact(RACE_CELLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lanes),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_swap_tells_what_has_come),
	    cmocka_unit_test(test_two_at_once),
	    cmocka_unit_test(test_as_many_as_cells_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
