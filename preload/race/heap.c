/* heap.c: blocks of the heap: where each was made, and that its accesses end with it. */
#include "../tables.h"
#include "../unwind.h"
#include "access.h"
#include "sync.h"

enum { FRAMES_KEPT = 24 };

/* The calls that were entered, and the allocating one: no unwinding at every malloc. */
static uint32_t stack_of(const struct race_hot *hot, uintptr_t pc)
{
	struct shim_frame frames[FRAMES_KEPT];
	size_t count = 0;
	frames[count++] = (struct shim_frame){pc, 0};
	const struct race_frame *at = hot->frame, *base = hot->thread->frames;
	while (at > base && count < FRAMES_KEPT)
		frames[count++] = (struct shim_frame){(--at)->pc, 0};
	return shim_stack_intern(frames, count, at == base);
}

/* Also of threads that are not followed: what was done to the memory before is over. `usable` is what freeing it
 * will speak of. */
void shim_race_allocated_now(void *block, size_t bytes, size_t usable, uintptr_t pc)
{
	struct race_hot *hot = &race_hot;
	if (hot->busy || !block)
		return;
	hot->busy = 1;
	race_shadow_clear((uintptr_t)block, usable);
	if (hot->stamp)
		race_block_add((uintptr_t)block, bytes, stack_of(hot, pc), hot->thread->id);
	hot->busy = 0;
}

void shim_race_freeing_now(void *block, size_t bytes, uintptr_t pc)
{
	struct race_hot *hot = &race_hot;
	if (hot->busy || !block)
		return;
	if (hot->stamp)
		race_access_freeing(hot, (uintptr_t)block, bytes, pc);
	hot->busy = 1;
	race_meta_clear((uintptr_t)block, bytes);
	hot->busy = 0;
}

void shim_race_unmapped_now(uintptr_t start, size_t bytes)
{
	struct race_hot *hot = &race_hot;
	if (hot->busy || start >> 47 || bytes >> 44)
		return;
	hot->busy = 1;
	race_shadow_clear(start, bytes);
	race_meta_clear(start, bytes);
	hot->busy = 0;
}
