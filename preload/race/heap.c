/* heap.c: blocks of the heap: where each was made, and that its accesses end with it. */
#include "../tables.h"
#include "../unwind.h"
#include "../unwind_row.h"
#include "access.h"
#include "sync.h"

enum { FRAMES_KEPT = 24, FRAMES_BETWEEN = 8 };

/* The innermost call that was entered: the program's function that waits for malloc or free. What a longjmp
 * has left behind lies below the caller. */
static const struct race_frame *innermost(const struct race_hot *hot, uintptr_t slot)
{
	const struct race_frame *at = hot->frame;
	while (at > hot->thread->frames && at[-1].stack < slot)
		at--;
	return at;
}

/* Where the next return address lies, when the rule is known already, and is a plain one: that costs little.
 */
static bool next_slot(uintptr_t slot, uintptr_t *next)
{
	uint64_t row;
	uintptr_t pc = *(const uintptr_t *)slot - 1;
	if (pc >> SHIM_ROW_PC_BITS || !shim_row_find(pc, &row) || (row & 3) != SHIM_ROW_CFA ||
	    (row >> SHIM_ROW_REGISTER_SHIFT & 15) != SHIM_RSP)
		return false;
	*next = slot + (uintptr_t)((int64_t)row >> SHIM_ROW_OFFSET_SHIFT) * 8;
	return *next > slot;
}

/* From the caller of malloc or free to the program's function: mostly the same; else operator new, strdup or
 * the like lies between, of which nobody said that it was entered. Only these frames are unwound, not the
 * whole stack at every malloc. */
static size_t frames_between(const struct race_hot *hot, const struct race_frame *function, uintptr_t slot,
                             struct shim_frame *frames)
{
	bool complete;
	uintptr_t limit = function > hot->thread->frames ? function[-1].stack : slot, next = slot;
	size_t count = 1, most;
	frames[0] = (struct shim_frame){*(const uintptr_t *)slot, slot};
	while (next < limit && count < FRAMES_BETWEEN && next_slot(next, &next)) {
		if (next > limit)
			return count;
		frames[count++] = (struct shim_frame){*(const uintptr_t *)next, next};
	}
	if (next >= limit || count == FRAMES_BETWEEN)
		return count;
	most = shim_unwind(slot, frames, FRAMES_BETWEEN, &complete);
	for (count = 1; count < most && frames[count].slot <= limit; count++)
		;
	return count;
}

static uint32_t stack_of(const struct race_hot *hot, uintptr_t slot)
{
	struct shim_frame frames[FRAMES_KEPT];
	const struct race_frame *at = innermost(hot, slot), *base = hot->thread->frames;
	size_t count = frames_between(hot, at, slot, frames);
	for (size_t i = 0; i < count; i++)
		frames[i].slot = 0;
	while (at > base && count < FRAMES_KEPT)
		frames[count++] = (struct shim_frame){(--at)->pc, 0};
	return shim_stack_intern(frames, count, at == base);
}

/* Also of threads that are not followed: what was done to the memory before is over. `usable` is what freeing
 * it will speak of. */
void shim_race_allocated_now(void *block, size_t bytes, size_t usable, uintptr_t slot)
{
	struct race_hot *hot = &race_hot;
	if (hot->busy || !block)
		return;
	race_enter(hot);
	race_shadow_clear((uintptr_t)block, usable);
	if (hot->stamp)
		race_block_add((uintptr_t)block, bytes, stack_of(hot, slot), hot->thread->id);
	race_leave(hot);
}

/* Where the program gives it back, not where operator delete does. */
static uintptr_t place_of(const struct race_hot *hot, uintptr_t slot)
{
	struct shim_frame frames[FRAMES_BETWEEN];
	return frames[frames_between(hot, innermost(hot, slot), slot, frames) - 1].pc;
}

void shim_race_freeing_now(void *block, size_t bytes, uintptr_t slot)
{
	struct race_hot *hot = &race_hot;
	if (hot->busy || !block)
		return;
	if (hot->stamp)
		race_access_freeing(hot, (uintptr_t)block, bytes, place_of(hot, slot));
	race_enter(hot);
	race_meta_clear((uintptr_t)block, bytes);
	race_leave(hot);
}

void shim_race_unmapped_now(uintptr_t start, size_t bytes)
{
	struct race_hot *hot = &race_hot;
	if (hot->busy || start >> 47 || bytes >> 44)
		return;
	race_enter(hot);
	race_shadow_clear(start, bytes);
	race_meta_clear(start, bytes);
	race_leave(hot);
}
