/* What is kept of a full part of a trace, read in whole periods of a loop, against the same event by event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "race/worn.h"
#include "region.h"

enum { ROUNDS = 600, PLACES_MAX = 4000, QUESTIONS = 300, SLOT = 3, ROOM = 4096 };

uint32_t race_era = 1, race_slot_eras[RACE_SLOTS + 1];
struct race_thread *race_threads;

void *shim_region_map(size_t bytes, bool wipe)
{
	(void)wipe;
	return calloc(1, bytes);
}

static uint64_t state = 88172645463325252u;

static uint32_t chance(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % below);
}

struct place {
	uintptr_t pc, low, end;
	uint32_t first, last, bytes, kind;
};

static struct place places[PLACES_MAX];
static uint32_t place_count;

static void add_place(uintptr_t pc, uintptr_t address, uint32_t bytes, uint32_t kind, uint32_t epoch)
{
	struct place *place = places;
	while (place < places + place_count &&
	       (place->pc != pc || place->bytes != bytes || place->kind != kind))
		place++;
	if (place == places + place_count) {
		assert_true(place_count < PLACES_MAX);
		*place = (struct place){pc, address, address + bytes, epoch, epoch, bytes, kind};
		place_count++;
	}
	place->low = address < place->low ? address : place->low;
	place->end = address + bytes > place->end ? address + bytes : place->end;
	place->last = epoch;
}

static struct race_part part;
static uint32_t word_count, epoch;
static uintptr_t traced_pc;

static bool full(void)
{
	return word_count + 4 >= sizeof part.words / sizeof *part.words;
}

static void trace(uintptr_t pc, uintptr_t address, unsigned log, uint32_t kind)
{
	if (full())
		return;
	uint64_t delta = pc - traced_pc;
	if (delta + (1 << 14) >= 1 << 15) {
		part.words[word_count++] = race_event_word(RACE_EVENT_PC, pc);
		delta = 0;
	}
	traced_pc = pc;
	part.words[word_count++] = (delta << RACE_TRACED_DELTA_SHIFT) + (race_traced(log, kind) | address);
	add_place(pc, address, 1u << log, kind, epoch);
}

/* A loop of up to ten accesses, some of one place, over arrays of their own; it may call something now and
 * then. */
static void loop(uintptr_t arrays)
{
	uint32_t length = 1 + chance(10), times = 1 + chance(60), calls = chance(3) ? 0 : 1 + chance(9),
	         spread = 2 + chance(39);
	struct {
		uintptr_t pc, array;
		unsigned log;
		uint32_t kind;
	} access[10];
	for (uint32_t i = 0; i < length; i++) {
		access[i].pc = 0x400000 + chance(spread) * 4 + (chance(20) ? 0 : 1 << 20);
		access[i].array = arrays + chance(4) * ROOM / 4;
		access[i].log = (unsigned)access[i].pc / 64 % 4;
		access[i].kind = access[i].pc & 32 ? RACE_READ : 0;
	}
	for (uint32_t time = 0; time < times; time++)
		for (uint32_t i = 0; i < length; i++) {
			uint32_t step = chance(50) ? time : chance(100);
			trace(access[i].pc, access[i].array + ((uintptr_t)step << access[i].log),
			      access[i].log, access[i].kind);
			if (calls && !chance(calls) && !full())
				part.words[word_count++] =
				    race_event_word(chance(2) ? RACE_EVENT_ENTER : RACE_EVENT_EXIT, 0);
		}
}

static void make_part(uintptr_t arrays)
{
	memset(&part, 0, sizeof part);
	word_count = 0;
	traced_pc = 0;
	part.first = race_stamp(SLOT, epoch);
	while (!full()) {
		loop(arrays);
		if (!chance(3) && !full() && epoch < RACE_EPOCH_MAX - 1)
			part.words[word_count++] =
			    race_event_word(RACE_EVENT_EPOCH, race_stamp(SLOT, ++epoch));
	}
}

static uintptr_t only_place(race_cell cell, uintptr_t word)
{
	uintptr_t pc = 0;
	unsigned log = (unsigned)__builtin_ctz((uint32_t)__builtin_popcount(cell & RACE_MASK));
	uintptr_t from = word + (uint32_t)__builtin_ctz(cell & RACE_MASK);
	for (struct place *at = places; at < places + place_count; at++) {
		bool inside = false;
		for (uintptr_t first = from; first + at->bytes <= from + (1u << log); first++)
			inside |= first >= at->low && first + at->bytes <= at->end;
		if (!inside || at->kind != (cell & RACE_FLAGS) || race_cell_epoch(cell) < at->first ||
		    race_cell_epoch(cell) > at->last)
			continue;
		if (pc)
			return 0;
		pc = at->pc;
	}
	return pc;
}

static void test_as_event_by_event(void **unused)
{
	(void)unused;
	uint32_t named = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct race_thread *t = calloc(1, sizeof *t);
		race_threads = t;
		place_count = 0;
		epoch = 1;
		uintptr_t arrays = 0x7000000;
		for (uint32_t parts = 1 + chance(3); parts; parts--) {
			make_part(arrays);
			assert_true(race_worn_keep(t, &part));
		}
		for (int i = 0; i < QUESTIONS; i++) {
			unsigned log = chance(4);
			uintptr_t address = (arrays + chance(ROOM)) & ~(((uintptr_t)1 << log) - 1);
			race_cell cell = race_stamp(SLOT, 1 + chance(epoch)) | (chance(2) ? RACE_READ : 0) |
			                 ((1u << (1u << log)) - 1) << (address & 7);
			struct race_past past;
			uintptr_t pc = only_place(cell, address & ~(uintptr_t)7);
			assert_int_equal(race_worn_find(cell, cell & RACE_MASK, address, &past), pc != 0);
			if (pc)
				assert_int_equal(past.frames[0], pc);
			named += pc != 0;
		}
		free(t->worn);
		free(t);
	}
	assert_true(named > ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_event_by_event)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
