/* cells.h: a new access against the four cells of its word, all at once.
 *
 * Pure: what comes of a cell's value and nothing else. A vector of lanes has all bits of a lane set, or none.
 * `before` below: cells known to come before the new access; those of its own slot do.
 * Only race_swap touches the shadow: one atomic step for all four. Source of the layout and of comparing by
 * vectors: ThreadSanitizer's third runtime (LLVM 14, tsan_rtl_access.cpp). */
#ifndef SHIM_RACE_CELLS_H
#define SHIM_RACE_CELLS_H

#include "near.h"

#define RACE_STAMP (~(race_cell)(RACE_MASK | RACE_FLAGS))

static inline __m128i race_load(const race_cell *cells)
{
	return _mm_load_si128((const __m128i *)(const void *)cells);
}

static inline __m128i race_zero(__m128i lanes)
{
	return _mm_cmpeq_epi32(lanes, _mm_setzero_si128());
}

static inline unsigned race_bits(__m128i lanes)
{
	return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(lanes));
}

/* The lanes of some bits. */
static inline __m128i race_lanes(unsigned bits)
{
	const __m128i each = _mm_set_epi32(8, 4, 2, 1);
	return _mm_cmpeq_epi32(_mm_and_si128(race_each(bits), each), each);
}

/* Of other bytes; or there is none. */
static inline __m128i race_apart(__m128i old, race_cell cell)
{
	return race_zero(_mm_and_si128(_mm_and_si128(old, race_each(cell)), race_each(RACE_MASK)));
}

static inline __m128i race_own(__m128i old, race_cell cell)
{
	return race_zero(_mm_srli_epi32(_mm_xor_si128(old, race_each(cell)), RACE_SLOT_SHIFT));
}

/* Of the slots and epochs of these. */
static inline __m128i race_stamped(__m128i old, __m128i stamps)
{
	return race_zero(_mm_and_si128(_mm_xor_si128(old, stamps), race_each(RACE_STAMP)));
}

/* Of the same bytes, and not two reads, nor two atomic ones. */
static inline __m128i race_conflict(__m128i old, race_cell cell)
{
	__m128i both = _mm_and_si128(_mm_and_si128(old, race_each(cell)), race_each(RACE_MASK | RACE_FLAGS));
	return _mm_and_si128(_mm_cmpgt_epi32(both, _mm_setzero_si128()),
	                     _mm_cmplt_epi32(both, race_each(RACE_MASK + 1)));
}

/* The new access says as much as these: whoever races with one of them and comes later, races with the new
 * one. An empty one says nothing at all. */
static inline __m128i race_weaker(__m128i old, race_cell cell)
{
	__m128i differs = _mm_xor_si128(old, race_each(cell));
	__m128i more =
	    _mm_or_si128(_mm_and_si128(_mm_and_si128(differs, old), race_each(RACE_MASK)),
	                 _mm_and_si128(_mm_and_si128(differs, race_each(cell)), race_each(RACE_FLAGS)));
	return race_zero(more);
}

/* The same access but for the bytes: both can be one cell. */
static inline __m128i race_same(__m128i old, race_cell cell)
{
	return race_zero(_mm_andnot_si128(race_each(RACE_MASK), _mm_xor_si128(old, race_each(cell))));
}

/* Cells that may be races: all others came before, or can't be. */
static inline unsigned race_suspects(__m128i old, race_cell cell, __m128i before)
{
	return race_bits(_mm_andnot_si128(before, race_conflict(old, cell)));
}

/* Where the new cell goes. */
struct race_room {
	bool same; /* it is made one with what is there */
	bool none; /* all four say something else */
	unsigned at;
	unsigned leftover; /* bits: what else says nothing more once it is there, of others */
};

static inline __attribute__((always_inline)) struct race_room race_find_room(__m128i old, race_cell cell,
                                                                             __m128i before)
{
	struct race_room room = {false, false, 0, 0};
	unsigned same = race_bits(race_same(old, cell));
	unsigned weaker = race_bits(_mm_and_si128(race_weaker(old, cell), before));
	if (same)
		room = (struct race_room){true, false, (unsigned)__builtin_ctz(same), 0};
	else if (weaker)
		room.at = (unsigned)__builtin_ctz(weaker);
	else {
		unsigned empty = race_bits(race_zero(old));
		room.none = !empty;
		room.at = (unsigned)__builtin_ctz(empty | 1u << RACE_CELLS) % RACE_CELLS;
	}
	weaker &= ~(1u << room.at);
	if (weaker)
		room.leftover = weaker & ~race_bits(race_own(old, cell));
	return room;
}

/* Put the new cell in its place, and nothing in those left over: if all four are still what `old` says.
 * False: then `old` says what they are now. Atomic, and a full barrier. */
static inline bool race_swap(race_cell *cells, __m128i *old, const struct race_room *room, race_cell cell)
{
	union {
		__m128i lanes;
		race_cell cells[RACE_CELLS];
		__extension__ unsigned __int128 all;
	} was = {*old}, next = {_mm_andnot_si128(race_lanes(room->leftover), *old)}, found;
	next.cells[room->at] = room->same ? was.cells[room->at] | cell : cell;
	found.all = __sync_val_compare_and_swap((__typeof__(found.all) *)(void *)cells, was.all, next.all);
	*old = found.lanes;
	return found.all == was.all;
}

/* The same by a store, for a room with nothing left over: what has come meanwhile to its place is
 * overwritten. */
static inline void race_put(race_cell *cells, const struct race_room *room, race_cell cell)
{
	race_cell *at = &cells[room->at];
	if (room->same)
		cell |= *at & RACE_MASK;
	__atomic_store_n(at, cell, __ATOMIC_RELAXED);
}

#endif
