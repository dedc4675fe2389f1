/* wait.c: what is held, and wanted, while a thread waits on a condition. */
#include "wait.h"

static uint32_t find(const struct shim_thread *t, const void *lock)
{
	for (uint32_t i = t->depth; i-- > 0;)
		if (t->held[i].lock == lock && (t->held[i].how & SHIM_HOW_HELD))
			return i;
	return SHIM_NO_ENTRY;
}

void shim_cond_wait_begin(struct shim_cond_wait *wait, void *cond, void *mutex, uint32_t how, uintptr_t slot)
{
	struct shim_thread *t = &shim_self;
	uint32_t at = t->capacity ? find(t, mutex) : SHIM_NO_ENTRY;
	*wait = (struct shim_cond_wait){.mutex = mutex, .index = SHIM_NO_ENTRY, .held = at != SHIM_NO_ENTRY};
	if (wait->held) {
		wait->relocks = t->held[at].how & ~(uint32_t)(SHIM_HOW_RELOCK - 1);
		t->held[at].how -= wait->relocks;
		shim_release(t, mutex);
	}
	shim_note_op(t, DT_OP_COND_WAIT, cond, DT_LOCK_COND | how, slot);
	if (wait->held)
		wait->index = shim_want(t, mutex, slot, DT_LOCK_MUTEX);
}

/* Whatever the wait's result, the mutex is held again as before. */
void shim_cond_wait_end(void *argument)
{
	struct shim_cond_wait *wait = argument;
	struct shim_thread *t = &shim_self;
	shim_got(t, wait->index, DT_LOCK_MUTEX + wait->relocks, true);
}
