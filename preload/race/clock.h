/* clock.h: vector clocks: for each slot, up to which epoch it is known. 0: nothing.
 *
 * A slot that is used up is given out anew once all its cells are swept; its component in clocks made
 * before then means nothing and is dropped when the clock is next used (race_clock_refresh).
 * Threads: the caller serialises. */
#ifndef SHIM_RACE_CLOCK_H
#define SHIM_RACE_CLOCK_H

#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "shadow.h"

struct race_clock {
	/* In the first line with the lowest slots: clocks of objects go from processor to processor. */
	_Alignas(RACE_LINE) uint32_t era; /* of the slots, when it was last brought up to date */
	uint32_t zero[3];
	uint16_t epoch[RACE_SLOTS + 1]; /* aligned to 16 bytes */
};

extern uint32_t race_era; /* goes up with every sweep */
extern uint32_t race_slot_eras[RACE_SLOTS + 1];
/* Of a slot: who knows one of its epochs does not know the earlier ones: a thread took it that did not. */
extern bool race_slot_mixed[RACE_SLOTS + 1];
extern uint32_t race_slots_used; /* all components from here on are 0; a multiple of 8 */

void race_clock_drop_swept(struct race_clock *clock);

static inline void race_clock_refresh(struct race_clock *clock)
{
	if (__builtin_expect(clock->era != __atomic_load_n(&race_era, __ATOMIC_ACQUIRE), 0))
		race_clock_drop_swept(clock);
}

/* Both are up to date. True: `to` has learned something. */
static inline bool race_clock_join(struct race_clock *to, const struct race_clock *from)
{
	uint32_t n = __atomic_load_n(&race_slots_used, __ATOMIC_RELAXED);
	__m128i news = _mm_setzero_si128();
	for (uint32_t i = 0; i < n; i += 8) {
		__m128i a = _mm_load_si128((const __m128i *)&to->epoch[i]);
		__m128i b = _mm_load_si128((const __m128i *)&from->epoch[i]);
		news = _mm_or_si128(news, _mm_cmpgt_epi16(b, a));
		_mm_store_si128((__m128i *)&to->epoch[i], _mm_max_epi16(a, b));
	}
	return _mm_movemask_epi8(news) != 0;
}

static inline void race_clock_copy(struct race_clock *to, const struct race_clock *from)
{
	uint32_t n = __atomic_load_n(&race_slots_used, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < n; i += 8)
		_mm_store_si128((__m128i *)&to->epoch[i], _mm_load_si128((const __m128i *)&from->epoch[i]));
	to->era = from->era;
}

#endif
