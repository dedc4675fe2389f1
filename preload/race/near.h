/* near.h: the way of an access that says nothing new: its cell is among the four of its word. These few
 * instructions are most of what watching costs, so a program gets its own copy of them (near.c): a call
 * across half of the address space into the shim costs as much again.
 *
 * What the copy knows of the shim is fixed by the names below: the layout of cells and shadow (shadow.h), of
 * a traced access, and that the stamp comes first in race_hot. When any of that changes, the number in the
 * names does, and a program that was linked with the old one says at its start that a symbol is missing.
 * Threads: any. */
#ifndef SHIM_RACE_NEAR_H
#define SHIM_RACE_NEAR_H

#include <emmintrin.h>
#include <stdbool.h>

#include "shadow.h"

#define RACE_NEAR(name) __asm__("libdetect_race_2_" #name) __attribute__((visibility("default")))

/* An access that is new in its epoch, or of a thread that is not followed yet. */
void race_look(uintptr_t address, race_cell cell, uint64_t traced, uintptr_t pc) RACE_NEAR(look);
/* kind: RACE_READ, RACE_ATOMIC. */
void race_access_range(uintptr_t address, size_t bytes, uint32_t kind, uintptr_t pc) RACE_NEAR(range);

enum { RACE_TRACED_LOG_SHIFT = 44, RACE_TRACED_KIND_SHIFT = 46 - 22, RACE_TRACED_DELTA_SHIFT = 48 };

/* As it goes into the trace (trace.h), but for the address and the place; of the place's difference, the
 * zero. */
static inline uint64_t race_traced(unsigned bytes_log, uint32_t kind)
{
	return UINT64_C(1) << 63 | UINT64_C(1) << 62 |
	       (uint64_t)(kind & RACE_FLAGS) << RACE_TRACED_KIND_SHIFT |
	       (uint64_t)bytes_log << RACE_TRACED_LOG_SHIFT;
}

static inline __m128i race_each(race_cell value)
{
	return _mm_set1_epi32((int)value);
}

/* One bit a lane. */
static inline unsigned race_lanes_equal(__m128i a, __m128i b)
{
	return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(a, b)));
}

/* An access says nothing new after one of its epoch to the same bytes, and perhaps more, that did the same; a
 * read says nothing new after a write either. `cell` is without the bit of a read. */
static inline __attribute__((always_inline)) bool race_seen(const race_cell *cells, race_cell cell,
                                                            uint32_t kind)
{
	const __m128i wanted = race_each(cell);
	const __m128i told = _mm_or_si128(wanted, race_each(~(race_cell)RACE_MASK & ~(kind & RACE_READ)));
	__m128i all = _mm_load_si128((const __m128i *)(const void *)cells);
	return race_lanes_equal(_mm_and_si128(all, told), wanted);
}

/* An access that lies in one word. A thread that is not followed has no stamp, and there may be no shadow
 * either. */
static inline __attribute__((always_inline)) void
race_access_stamped(race_cell stamp, uintptr_t address, unsigned bytes_log, uint32_t kind, uintptr_t pc)
{
	race_cell cell =
	    stamp | (kind & ~(uint32_t)RACE_READ) | (((1u << (1u << bytes_log)) - 1) << (address & 7));
	if (__builtin_expect(!stamp || !race_seen(race_cells_of(address), cell, kind), 0))
		race_look(address, cell | kind, race_traced(bytes_log, kind), pc);
}

#endif
