/* access.c: one access against what the shadow remembers, and the calls for accesses that compilers emit. An
 * access that says nothing new does not come here (near.h).
 *
 * A new access looks at the four cells of its word, judges those that it may race with, and leaves its own.
 * What may be missed, beyond what four cells can't hold: two threads may look at the same moment, each before
 * the other has left its cell. Exact accesses look and leave in one atomic step: race_swap puts a cell where
 * nothing has changed since it was judged, and else what has changed is judged, too. So of two exact accesses
 * to a word one is the later one in that word's order of modification, and has judged the earlier one's cell,
 * or one that stands for it. They are the first RACE_EXACT ones of a thread from when it has last learned
 * something of others: threads meet at one word at one moment after they have met at something that
 * synchronises. Those of a long run without, and atomic ones, look, and then store: the atomic step waits for
 * every store before it, which is most of what an access costs when cells come from far away. There two
 * accesses within the same some 100 ns, of which neither is repeated, may be missed, as by ThreadSanitizer,
 * which has no others. A cell that stands for others (race_leftover) takes them away by the atomic step, too,
 * exact or not: a store might take away what has come meanwhile. */
#include "access.h"

#include "abi.h"
#include "calls.h"
#include "cells.h"
#include "report.h"
#include "predict.h"

enum { READ = RACE_READ, WRITE = 0, FREE_LOOKED_AT = 1024 };

/* The new access against one that the shadow remembers. True: that one came before. */
static inline bool judge(struct race_hot *hot, race_cell cell, race_cell old, uintptr_t word,
                         const struct race_access *access)
{
	struct race_thread *t = hot->thread;
	uint32_t slot = race_cell_slot(old), epoch = race_cell_epoch(old);
	bool ordered = t->clock.epoch[slot] >= epoch;
	if (old & cell & RACE_FLAGS)
		return ordered;
	if (SHIM_UNLIKELY(!ordered))
		race_report(hot, word, cell, old, access);
	else if (SHIM_UNLIKELY(race_predict_wanted(t, slot, epoch)))
		race_predict(hot, word, cell, old, access);
	else
		hot->ordered = race_each(old);
	return ordered;
}

/* Which one is forgotten when all four say something: another each time. */
static inline unsigned any_room(const struct race_hot *hot)
{
	return (unsigned)((uintptr_t)hot->trace >> 3) % RACE_CELLS;
}

/* Those that came before: of these lanes each is judged. */
static inline unsigned judge_each(struct race_hot *hot, __m128i old, unsigned lanes, race_cell cell,
                                  uintptr_t word, const struct race_access *access)
{
	race_cell were[RACE_CELLS] __attribute__((aligned(16)));
	unsigned before = 0;
	_mm_store_si128((__m128i *)(void *)were, old);
	for (; lanes; lanes &= lanes - 1)
		if (judge(hot, cell, were[__builtin_ctz(lanes)], word, access))
			before |= lanes & -lanes;
	return before;
}

static void check(struct race_hot *hot, race_cell *cells, race_cell cell, uintptr_t word,
                  const struct race_access *access)
{
	bool exact = hot->exact, done;
	hot->exact -= exact;
	__m128i old = race_load(cells), judged = race_each(0);
	unsigned before = 0;
	race_cell forgotten = 0;
	do {
		__m128i known = _mm_or_si128(race_own(old, cell), race_stamped(old, hot->ordered));
		unsigned changed = ~race_lanes_equal(old, judged);
		unsigned others = ~race_bits(_mm_or_si128(known, race_apart(old, cell)));
		before &= ~changed;
		before |=
		    judge_each(hot, old, others & changed & ((1u << RACE_CELLS) - 1), cell, word, access);
		judged = old;
		struct race_room room = race_find_room(old, cell, _mm_or_si128(known, race_lanes(before)));
		forgotten = 0;
		if (SHIM_UNLIKELY(room.none)) {
			room.at = any_room(hot);
			forgotten = cells[room.at];
		}
		done = !exact && !room.leftover;
		if (done)
			race_put(cells, &room, cell);
		else
			done = race_swap(cells, &old, &room, cell);
	} while (SHIM_UNLIKELY(!done));
	if (SHIM_UNLIKELY(forgotten))
		race_predict_forgotten(hot, forgotten);
}

/* The same, as far as it takes no judgement and no atomic step: nearly always. */
static inline __attribute__((always_inline)) bool check_fast(const struct race_hot *hot, race_cell *cells,
                                                             race_cell cell)
{
	__m128i old = race_load(cells);
	__m128i before = _mm_or_si128(race_own(old, cell), race_stamped(old, hot->ordered));
	if (race_suspects(old, cell, before))
		return false;
	struct race_room room = race_find_room(old, cell, before);
	if (SHIM_UNLIKELY(room.none || room.leftover))
		return false;
	race_put(cells, &room, cell);
	return true;
}

static inline bool ignored(const struct race_hot *hot, uint32_t kind)
{
	return SHIM_UNLIKELY(hot->ignore) &&
	       hot->ignore & (RACE_UNWATCHED | (kind & RACE_READ ? RACE_IGNORE_READS : RACE_IGNORE_WRITES));
}

static __attribute__((noinline)) void check_one(uintptr_t address, race_cell cell, uint64_t traced,
                                                uintptr_t pc)
{
	size_t bytes = (size_t)1 << (traced >> RACE_TRACED_LOG_SHIFT & 3);
	const struct race_access access = {address, bytes, cell & RACE_FLAGS, pc, false};
	check(&race_hot, race_cells_of(address), cell, address & ~(uintptr_t)7, &access);
}

/* Of a thread that is not followed yet, or ignores something, or is exact. */
static __attribute__((noinline)) void look_specially(uintptr_t address, race_cell cell, uint64_t traced,
                                                     uintptr_t pc)
{
	struct race_hot *hot = race_self();
	if (!hot || ignored(hot, cell & RACE_FLAGS))
		return;
	if (SHIM_UNLIKELY(race_trace_full(hot->trace)))
		race_trace_turn(hot);
	race_trace_access(hot, address, traced, pc);
	cell = hot->stamp | (cell & ~RACE_STAMP);
	if ((hot->exact && !(cell & RACE_ATOMIC)) || !check_fast(hot, race_cells_of(address), cell))
		check_one(address, cell, traced, pc);
}

/* What is seldom ends in a call, so that the rest needs no registers saved. */
SHIM_EXPORT void race_look(uintptr_t address, race_cell cell, uint64_t traced, uintptr_t pc)
{
	struct race_hot *hot = &race_hot;
	if (SHIM_UNLIKELY(!(cell & RACE_STAMP) || hot->special || race_trace_full(hot->trace))) {
		look_specially(address, cell, traced, pc);
		return;
	}
	race_trace_access(hot, address, traced, pc);
	if (SHIM_UNLIKELY(!check_fast(hot, race_cells_of(address), cell)))
		check_one(address, cell, traced, pc);
}

void race_access_atomic(uintptr_t address, unsigned bytes_log, uint32_t kind, uintptr_t pc)
{
	if (SHIM_LIKELY(race_hot.stamp) && SHIM_UNLIKELY(race_hot.thread->unlearned))
		race_predict_atomic(&race_hot, address, bytes_log > 3 ? 3 : bytes_log, kind);
	access_unaligned(address, bytes_log > 3 ? 3 : bytes_log, kind | RACE_ATOMIC, pc);
}

static uint32_t mask_of(uintptr_t word, uintptr_t start, uintptr_t end)
{
	uint32_t mask = RACE_MASK;
	if (start > word)
		mask &= mask << (start - word);
	if (end < word + RACE_WORD)
		mask &= RACE_MASK >> (word + RACE_WORD - end);
	return mask & RACE_MASK;
}

static void range(struct race_hot *hot, const struct race_access *access)
{
	uintptr_t start = access->address, end = start + access->bytes;
	unsigned what = (access->kind & RACE_READ ? RACE_RANGE_READ : 0) |
	                (access->kind & RACE_ATOMIC ? RACE_RANGE_ATOMIC : 0) |
	                (access->is_free ? RACE_RANGE_FREE : 0);
	bool traced = false;
	for (uintptr_t word = start & ~(uintptr_t)7; word < end; word += RACE_WORD) {
		race_cell *cells = race_cells_of(word);
		race_cell cell = hot->stamp | mask_of(word, start, end) | (access->kind & RACE_ATOMIC);
		if (race_seen(cells, cell, access->kind) && !access->is_free)
			continue;
		cell |= access->kind;
		if (!traced)
			race_trace_range(hot, start, access->bytes, what, access->pc);
		traced = true;
		if (SHIM_UNLIKELY(hot->exact) || !check_fast(hot, cells, cell))
			check(hot, cells, cell, word, access);
	}
}

SHIM_EXPORT void race_access_range(uintptr_t address, size_t bytes, uint32_t kind, uintptr_t pc)
{
	struct race_hot *hot = race_self();
	if (!hot || ignored(hot, kind) || !bytes)
		return;
	const struct race_access access = {address, bytes, kind, pc, false};
	range(hot, &access);
}

/* A block is given back: as a write to it, and what comes later of others is a use after free. */
void race_access_freeing(struct race_hot *hot, uintptr_t address, size_t bytes, uintptr_t pc)
{
	const struct race_access access = {address, bytes < FREE_LOOKED_AT ? bytes : FREE_LOOKED_AT, WRITE,
	                                   pc, true};
	range(hot, &access);
}

/* Of 1 to 16 bytes: calls.h. */
ABI(void, __tsan_read_range, (void *p, uintptr_t bytes))
{
	race_access_range((uintptr_t)p, bytes, READ, PC);
}
ABI(void, __tsan_write_range, (void *p, uintptr_t bytes))
{
	race_access_range((uintptr_t)p, bytes, WRITE, PC);
}
ABI(void, __tsan_read_range_pc, (void *p, uintptr_t bytes, void *pc))
{
	race_access_range((uintptr_t)p, bytes, READ, (uintptr_t)pc);
}
ABI(void, __tsan_write_range_pc, (void *p, uintptr_t bytes, void *pc))
{
	race_access_range((uintptr_t)p, bytes, WRITE, (uintptr_t)pc);
}

/* Copies that a compiler calls by these names. */
ABI(void *, __tsan_memcpy, (void *to, const void *from, uintptr_t bytes))
{
	race_access_range((uintptr_t)from, bytes, READ, PC);
	race_access_range((uintptr_t)to, bytes, WRITE, PC);
	return __builtin_memcpy(to, from, bytes);
}
ABI(void *, __tsan_memmove, (void *to, const void *from, uintptr_t bytes))
{
	race_access_range((uintptr_t)from, bytes, READ, PC);
	race_access_range((uintptr_t)to, bytes, WRITE, PC);
	return __builtin_memmove(to, from, bytes);
}
ABI(void *, __tsan_memset, (void *to, int value, uintptr_t bytes))
{
	race_access_range((uintptr_t)to, bytes, WRITE, PC);
	return __builtin_memset(to, value, bytes);
}

/* A constructor or destructor that sets the table to what it is anyway harms nobody. */
ABI(void, __tsan_vptr_update, (void **vptr, void *value))
{
	if (*vptr != value)
		access_unaligned((uintptr_t)vptr, 3, WRITE, PC);
}
ABI(void, __tsan_vptr_read, (void **vptr))
{
	access_unaligned((uintptr_t)vptr, 3, READ, PC);
}

/* Calls of instrumented functions. What a longjmp or a switch of stacks has left behind is taken off first: a
 * frame that is not above this one is no more. */
static __attribute__((noinline)) void heal(struct race_hot *hot, uintptr_t here)
{
	while (hot->frame > hot->thread->frames && hot->frame[-1].stack <= here) {
		race_trace_event(hot, RACE_EVENT_EXIT, 0);
		hot->frame--;
	}
}

ABI(void, __tsan_func_entry, (void *pc))
{
	struct race_hot *hot = race_self();
	if (SHIM_UNLIKELY(!hot))
		return;
	uintptr_t here = SHIM_SLOT();
	struct race_frame *frame = hot->frame;
	if (SHIM_UNLIKELY(frame > hot->thread->frames && frame[-1].stack <= here)) {
		heal(hot, here);
		frame = hot->frame;
	}
	if (SHIM_UNLIKELY(frame >= hot->thread->frames + RACE_FRAMES_MAX)) {
		hot->thread->deeper++;
		return;
	}
	/* The event first: a part of the trace that begins here begins with the calls before it. */
	race_trace_event(hot, RACE_EVENT_ENTER, (uintptr_t)pc);
	*frame = (struct race_frame){(uintptr_t)pc, here};
	hot->frame = frame + 1;
}

ABI(void, __tsan_func_exit, (void))
{
	struct race_hot *hot = &race_hot;
	if (SHIM_UNLIKELY(!hot->stamp))
		return;
	if (SHIM_UNLIKELY(hot->thread->deeper)) {
		hot->thread->deeper--;
		return;
	}
	if (SHIM_UNLIKELY(hot->frame <= hot->thread->frames))
		return;
	race_trace_event(hot, RACE_EVENT_EXIT, 0);
	hot->frame--;
}
