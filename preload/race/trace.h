/* trace.h: what a thread did lately, in 64-bit words.
 *
 *   1 delta:15 read:1 atomic:1 size:2 address:44   an access of 1, 2, 4, 8 bytes; pc = the last one + delta
 *   0 tag:3 …                                      enum race_event, its operand in the low 48 bits
 *
 * Words lie in parts; each begins with the calls and locks that are open, so that it can be read alone.
 * When a thread has `history` parts, the oldest is used again.
 * Threads: written by its own, read by whoever reports a race: a copy, and then a look whether the part is
 * still the same. */
#ifndef SHIM_RACE_TRACE_H
#define SHIM_RACE_TRACE_H

#include "engine.h"

enum race_event {
	RACE_EVENT_NONE,
	RACE_EVENT_PC,    /* of what follows */
	RACE_EVENT_ENTER, /* a call; the operand is the return address */
	RACE_EVENT_EXIT,
	RACE_EVENT_EPOCH, /* operand: the new stamp */
	RACE_EVENT_LOCK,  /* operand: address; next word: how << 32 | context */
	RACE_EVENT_UNLOCK,
	RACE_EVENT_RANGE /* operand: address; next word: bytes | kind << 60 */
};

enum {
	RACE_PART_BYTES = 32 * 1024,
	RACE_PART_WORDS = RACE_PART_BYTES / 8,
	RACE_PART_MARGIN = 4 * 8, /* what one event needs at most */
	RACE_RANGE_READ = 1,
	RACE_RANGE_FREE = 2,
	RACE_RANGE_ATOMIC = 4
};

struct race_part {
	uint64_t serial;       /* changes when it is used again */
	race_cell first, last; /* stamps in it; last: 0 while it is being written */
	uint32_t thread;       /* id in the log */
	uint32_t kept;         /* in the table of places (worn.h) */
	struct race_part *older, *newer_free;
	uint64_t words[RACE_PART_WORDS - 5];
};

/* Where the trace goes on when the part is full; hot->trace is set. */
void race_trace_turn(struct race_hot *hot);
void race_trace_begin(struct race_hot *hot);
void race_trace_end(struct race_thread *t);

#define RACE_OPERAND ((UINT64_C(1) << 48) - 1)

static inline uint64_t race_event_word(enum race_event event, uint64_t operand)
{
	return (uint64_t)event << 60 | (operand & RACE_OPERAND);
}

static inline bool race_trace_full(const uint64_t *at)
{
	return ((uintptr_t)at & (RACE_PART_BYTES - 1)) > RACE_PART_BYTES - RACE_PART_MARGIN ||
	       ((uintptr_t)at & (RACE_PART_BYTES - 1)) == 0;
}

static inline void race_trace_event(struct race_hot *hot, enum race_event event, uint64_t operand)
{
	if (SHIM_UNLIKELY(race_trace_full(hot->trace)))
		race_trace_turn(hot);
	uint64_t *at = hot->trace;
	__atomic_store_n(at, race_event_word(event, operand), __ATOMIC_RELAXED);
	hot->trace = at + 1;
}

static inline void race_trace_event2(struct race_hot *hot, enum race_event event, uint64_t operand,
                                     uint64_t more)
{
	if (SHIM_UNLIKELY(race_trace_full(hot->trace)))
		race_trace_turn(hot);
	uint64_t *at = hot->trace;
	__atomic_store_n(at, race_event_word(event, operand), __ATOMIC_RELAXED);
	__atomic_store_n(at + 1, more, __ATOMIC_RELAXED);
	hot->trace = at + 2;
}

/* traced: race_traced. The trace is not full. */
static inline void race_trace_access(struct race_hot *hot, uintptr_t address, uint64_t traced, uintptr_t pc)
{
	uint64_t *at = hot->trace;
	uint64_t delta = pc - hot->traced_pc;
	hot->traced_pc = pc;
	if (SHIM_UNLIKELY(delta + (1 << 14) >= 1 << 15)) {
		__atomic_store_n(at++, race_event_word(RACE_EVENT_PC, pc), __ATOMIC_RELAXED);
		delta = 0;
	}
	__atomic_store_n(at, (delta << RACE_TRACED_DELTA_SHIFT) + (traced | (address & RACE_ADDRESS_MASK)),
	                 __ATOMIC_RELAXED);
	hot->trace = at + 1;
}

static inline void race_trace_range(struct race_hot *hot, uintptr_t address, size_t bytes, unsigned kind,
                                    uintptr_t pc)
{
	hot->traced_pc = pc;
	race_trace_event(hot, RACE_EVENT_PC, pc);
	race_trace_event2(hot, RACE_EVENT_RANGE, address,
	                  (bytes & ((UINT64_C(1) << 60) - 1)) | (uint64_t)kind << 60);
}

/* What is known of an access that is remembered in a cell. */
struct race_past {
	uint32_t thread; /* id in the log */
	uint32_t kind;   /* RACE_READ, RACE_ATOMIC */
	bool is_free;
	uintptr_t address;
	size_t bytes;
	uintptr_t frames[128]; /* innermost first: the access itself, then return addresses */
	uint32_t frame_count;
	bool truncated;
	bool forgotten; /* the place is all that is known (worn.h) */
	struct race_lock locks[RACE_LOCKS_MAX];
	uint32_t lock_count;
};

/* Find it: of those that the cell is made of, the last one to any of its bytes. False: it is older than what the traces
 * keep. One caller at a time. */
bool race_trace_find(race_cell cell, uintptr_t word, struct race_past *past);

#endif
