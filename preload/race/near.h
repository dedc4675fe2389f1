/* near.h: the way of an access that says nothing new: its cell is among the four of its word. These few
 * instructions are most of what watching costs, so a program gets its own copy of them (near.c): a call
 * across half of the address space into the shim costs as much again.
 *
 * What the copy knows of the shim is fixed by the names below: the layout of cells and shadow (shadow.h), and
 * that the stamp comes first in race_hot. When any of that changes, the number in the names does, and a
 * program that was linked with the old one says at its start that a symbol is missing. Threads: any. */
#ifndef SHIM_RACE_NEAR_H
#define SHIM_RACE_NEAR_H

#include <emmintrin.h>
#include <stdbool.h>

#include "shadow.h"

#define RACE_NEAR(name) __asm__("libdetect_race_1_" #name) __attribute__((visibility("default")))

/* An access that is new in its epoch, or of a thread that is not followed yet. bytes_log: 4 for 16 bytes. */
void race_look(uintptr_t address, race_cell cell, unsigned bytes_log, uintptr_t pc) RACE_NEAR(look);
/* kind: RACE_READ, RACE_ATOMIC. */
void race_access_range(uintptr_t address, size_t bytes, uint32_t kind, uintptr_t pc) RACE_NEAR(range);

static inline __m128i race_each(race_cell value)
{
	return _mm_set1_epi32((int)value);
}

/* One bit a lane. */
static inline unsigned race_lanes_equal(__m128i a, __m128i b)
{
	return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(a, b)));
}

static inline unsigned race_lanes_zero(__m128i lanes)
{
	return race_lanes_equal(lanes, _mm_setzero_si128());
}

/* A read says nothing new after a write either: with the bit of a read set, both look the same. */
static inline __attribute__((always_inline)) bool race_seen(const race_cell *cells, race_cell cell)
{
	__m128i all = _mm_load_si128((const __m128i *)(const void *)cells);
	if (cell & RACE_READ)
		all = _mm_or_si128(all, race_each(RACE_READ));
	return race_lanes_equal(all, race_each(cell));
}

/* A thread that is not followed has no stamp, and there may be no shadow either. */
static inline __attribute__((always_inline)) void
race_access_stamped(race_cell stamp, uintptr_t address, unsigned bytes_log, uint32_t kind, uintptr_t pc)
{
	race_cell cell = stamp | kind | (((1u << (1u << bytes_log)) - 1) << (address & 7) & RACE_MASK);
	if (__builtin_expect(!stamp || !race_seen(race_cells_of(address), cell), 0))
		race_look(address, cell, bytes_log, pc);
}

#endif
