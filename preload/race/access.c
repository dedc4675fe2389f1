/* access.c: one access against what the shadow remembers, and the calls for accesses that compilers emit. An
 * access that says nothing new does not come here (near.h). */
#include "access.h"

#include <emmintrin.h>

#include "abi.h"
#include "calls.h"
#include "report.h"
#include "predict.h"

enum { READ = RACE_READ, WRITE = 0, FREE_LOOKED_AT = 1024 };

/* An old access of which the new one says as much: whoever races with the old one and comes later, races with
 * the new one. */
static inline bool covers(race_cell cell, race_cell old)
{
	return !(old & RACE_MASK & ~cell) && (!(cell & RACE_READ) || (old & RACE_READ)) &&
	       (!(cell & RACE_ATOMIC) || (old & RACE_ATOMIC));
}

/* The new access against one that the shadow remembers. True: that one came before. */
static inline bool judge(struct race_hot *hot, race_cell cell, race_cell old, uintptr_t word,
                         const struct race_access *access)
{
	struct race_thread *t = hot->thread;
	uint32_t slot = race_cell_slot(cell), old_slot = race_cell_slot(old);
	bool ordered = old_slot == slot || t->clock.epoch[old_slot] >= race_cell_epoch(old);
	bool conflict = !(old & cell & RACE_READ) && !(old & cell & RACE_ATOMIC);
	if (SHIM_UNLIKELY(!ordered && conflict))
		race_report(hot, word, cell, old, access);
	if (SHIM_UNLIKELY(ordered && conflict && old_slot != slot &&
	                  race_predict_wanted(t, old_slot, race_cell_epoch(old))))
		race_predict(hot, word, cell, old, access);
	return ordered;
}

/* Two threads may look at the same moment, each before the other has left its cell. So what has come
 * meanwhile is looked at again, once one's own cell is there for all to see (the exchange is a full barrier):
 * one of the two sees the other's, as in Dekker's algorithm. */
static void leave_and_look(struct race_hot *hot, race_cell *cells, const race_cell *were, unsigned at,
                           race_cell cell, uintptr_t word, const struct race_access *access)
{
	race_cell now[RACE_CELLS];
	now[at] = __atomic_exchange_n(&cells[at], cell, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < RACE_CELLS; i++) {
		if (i != at)
			now[i] = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
		if (SHIM_UNLIKELY(now[i] != were[i]) && (now[i] & cell & RACE_MASK))
			judge(hot, cell, now[i], word, access);
	}
}

/* The barrier waits for every store before it, which is most of what an access costs when cells come from far
 * away. Threads meet at one word at one moment after they have met at something that synchronises: the first
 * accesses from then on are exact. A long run of them without, and atomic ones, are left like
 * ThreadSanitizer's, which never looks again: there two accesses within the same some 100 ns, of which
 * neither is repeated, may be missed. */
static inline void leave(struct race_hot *hot, race_cell *cells, const race_cell *were, unsigned at,
                         race_cell cell, uintptr_t word, const struct race_access *access)
{
	if (hot->exact) {
		hot->exact--;
		leave_and_look(hot, cells, were, at, cell, word, access);
		return;
	}
	__atomic_store_n(&cells[at], cell, __ATOMIC_RELAXED);
}

/* Which one is forgotten when all four say something: another each time. */
static inline unsigned any_room(const struct race_hot *hot)
{
	return (unsigned)((uintptr_t)hot->trace >> 3) % RACE_CELLS;
}

/* Look at every cell, then leave the new one. */
static __attribute__((noinline)) void check_each(struct race_hot *hot, race_cell *cells, race_cell cell,
                                                 uintptr_t word, const struct race_access *access)
{
	race_cell were[RACE_CELLS];
	int room = -1;
	for (int i = 0; i < RACE_CELLS; i++) {
		race_cell old = were[i] = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
		if (!old)
			room = room < 0 ? i : room;
		if (!(old & cell & RACE_MASK) || !judge(hot, cell, old, word, access) || !covers(cell, old))
			continue;
		if (room < 0)
			room = i;
		else if (__atomic_compare_exchange_n(&cells[i], &old, 0, false, __ATOMIC_RELAXED,
		                                     __ATOMIC_RELAXED))
			were[i] = 0;
	}
	leave(hot, cells, were, room < 0 ? any_room(hot) : (unsigned)room, cell, word, access);
}

/* Another thread's cell may have come to the same place: that one stays. */
static __attribute__((noinline)) void clear_each(race_cell *cells, __m128i old, unsigned lanes)
{
	race_cell were[RACE_CELLS] __attribute__((aligned(16)));
	_mm_store_si128((__m128i *)(void *)were, old);
	for (; lanes; lanes &= lanes - 1) {
		int i = __builtin_ctz(lanes);
		__atomic_compare_exchange_n(&cells[i], &were[i], 0, false, __ATOMIC_RELAXED,
		                            __ATOMIC_RELAXED);
	}
}

/* The same for all four at once, as far as none of them is a race, nor ordered by luck: nearly always.
 * Returns where the new cell goes, or -1: each has to be looked at by itself. */
static inline __attribute__((always_inline)) int place(const struct race_hot *hot, race_cell *cells,
                                                       __m128i old, race_cell cell)
{
	__m128i new = race_each(cell);
	unsigned apart = race_lanes_zero(_mm_and_si128(_mm_and_si128(old, new), race_each(RACE_MASK)));
	unsigned own = race_lanes_zero(_mm_srli_epi32(_mm_xor_si128(old, new), RACE_SLOT_SHIFT));
	__m128i more = _mm_or_si128(_mm_and_si128(_mm_andnot_si128(new, old), race_each(RACE_MASK)),
	                            _mm_andnot_si128(old, race_each(cell & RACE_FLAGS)));
	unsigned covered = race_lanes_zero(more) & ~apart;
	unsigned others = ~(apart | own) & ((1 << RACE_CELLS) - 1);
	if (others) {
		race_cell were[RACE_CELLS] __attribute__((aligned(16)));
		_mm_store_si128((__m128i *)(void *)were, old);
		const struct race_thread *t = hot->thread;
		do {
			race_cell one = were[__builtin_ctz(others)];
			uint32_t slot = race_cell_slot(one), epoch = race_cell_epoch(one);
			bool ordered = t->clock.epoch[slot] >= epoch, conflict = !(one & cell & RACE_FLAGS);
			if (SHIM_UNLIKELY(conflict && (!ordered || race_predict_wanted(t, slot, epoch))))
				return -1;
			if (!ordered)
				covered &= ~(others & -others);
		} while (others &= others - 1);
	}
	if (SHIM_UNLIKELY(covered & (covered - 1)))
		clear_each(cells, old, covered & (covered - 1));
	unsigned room = covered ? covered : race_lanes_zero(old);
	return room ? __builtin_ctz(room) : (int)any_room(hot);
}

static void check(struct race_hot *hot, race_cell *cells, race_cell cell, uintptr_t word,
                  const struct race_access *access)
{
	race_cell were[RACE_CELLS] __attribute__((aligned(16)));
	__m128i old = _mm_load_si128((const __m128i *)(const void *)cells);
	int room = place(hot, cells, old, cell);
	if (SHIM_UNLIKELY(room < 0)) {
		check_each(hot, cells, cell, word, access);
		return;
	}
	_mm_store_si128((__m128i *)(void *)were, old);
	leave(hot, cells, were, (unsigned)room, cell, word, access);
}

static inline bool ignored(const struct race_hot *hot, uint32_t kind)
{
	return SHIM_UNLIKELY(hot->ignore) &&
	       hot->ignore & (RACE_UNWATCHED | (kind & RACE_READ ? RACE_IGNORE_READS : RACE_IGNORE_WRITES));
}

static __attribute__((noinline)) void check_one(uintptr_t address, race_cell cell, unsigned bytes_log,
                                                uintptr_t pc)
{
	const struct race_access access = {address, (size_t)1 << bytes_log, cell & RACE_FLAGS, pc, false};
	check(&race_hot, race_cells_of(address), cell, address & ~(uintptr_t)7, &access);
}

static __attribute__((noinline)) void look_first(uintptr_t address, race_cell cell, unsigned bytes_log,
                                                 uintptr_t pc)
{
	struct race_hot *hot = race_self();
	uint32_t kind = cell & RACE_FLAGS;
	if (!hot || ignored(hot, kind))
		return;
	race_trace_access(hot, address, bytes_log, kind, pc);
	check_one(address, hot->stamp | kind | (cell & RACE_MASK), bytes_log, pc);
}

/* What is seldom ends in a call, so that the rest needs no registers saved. */
SHIM_EXPORT void race_look(uintptr_t address, race_cell cell, unsigned bytes_log, uintptr_t pc)
{
	struct race_hot *hot = &race_hot;
	if (SHIM_UNLIKELY(!hot->stamp || hot->ignore || race_trace_full(hot->trace))) {
		look_first(address, cell, bytes_log, pc);
		return;
	}
	race_trace_access(hot, address, bytes_log, cell & RACE_FLAGS, pc);
	race_cell *cells = race_cells_of(address);
	__m128i old = _mm_load_si128((const __m128i *)(const void *)cells);
	int room = hot->exact && !(cell & RACE_ATOMIC) ? -1 : place(hot, cells, old, cell);
	if (SHIM_UNLIKELY(room < 0))
		check_one(address, cell, bytes_log, pc);
	else
		__atomic_store_n(&cells[room], cell, __ATOMIC_RELAXED);
}

void race_access_atomic(uintptr_t address, unsigned bytes_log, uint32_t kind, uintptr_t pc)
{
	if (SHIM_LIKELY(race_hot.stamp) && SHIM_UNLIKELY(race_hot.thread->unlearned))
		race_predict_atomic(&race_hot, address, bytes_log > 3 ? 3 : bytes_log, kind);
	race_access_one(address, bytes_log > 3 ? 3 : bytes_log, kind | RACE_ATOMIC, pc);
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
	unsigned what =
	    (access->kind & RACE_READ ? RACE_RANGE_READ : 0) | (access->is_free ? RACE_RANGE_FREE : 0);
	bool traced = false;
	for (uintptr_t word = start & ~(uintptr_t)7; word < end; word += RACE_WORD) {
		race_cell *cells = race_cells_of(word);
		race_cell cell = hot->stamp | access->kind | mask_of(word, start, end);
		if (race_seen(cells, cell) && !access->is_free)
			continue;
		if (!traced)
			race_trace_range(hot, start, access->bytes, what, access->pc);
		traced = true;
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
		race_access_one((uintptr_t)vptr, 3, WRITE, PC);
}
ABI(void, __tsan_vptr_read, (void **vptr))
{
	race_access_one((uintptr_t)vptr, 3, READ, PC);
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
