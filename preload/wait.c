/* wait.c: what is held, and wanted, while a thread waits on a condition. */
#include "misuse.h"
#include "note.h"
#include "race/race.h"
#include "wait.h"
#include "waiters.h"
#include "want.h"

/* Published last: from then on others may see this thread wait. */
static void publish(struct shim_cond_wait *wait, struct shim_thread *t, void *cond, uint32_t how, uintptr_t slot)
{
	const void *other;
	uint32_t context = shim_context_now(t, slot);
	if (!wait->held)
		shim_misuse_wait_unlocked(t, cond, wait->mutex, context);
	wait->waiters = shim_waiters_enter(cond, wait->mutex, &other);
	if (SHIM_UNLIKELY(other != NULL))
		shim_misuse_wait_mismatch(t, cond, wait->mutex, other, context);
	shim_block_begin(&wait->block, t,
	                 &(const struct shim_wait){.op = DT_OP_COND_WAIT,
	                                           .how = DT_LOCK_COND | how,
	                                           .object = cond,
	                                           .mutex = wait->mutex,
	                                           .context = context});
}

void shim_cond_wait_begin(struct shim_cond_wait *wait, void *cond, void *mutex, uint32_t how, uintptr_t slot)
{
	struct shim_thread *t = &shim_self;
	struct shim_held *held = t->capacity ? shim_held_find(t, mutex) : NULL;
	wait->waiters = NULL;
	wait->block.slot = NULL;
	wait->mutex = mutex;
	wait->index = SHIM_NO_ENTRY;
	wait->relocks = 0;
	wait->held = held != NULL;
	wait->woken = true;
	if (held) {
		wait->relocks = held->how & SHIM_HOW_RELOCKS;
		held->how -= wait->relocks;
		shim_release(t, mutex);
	}
	shim_note_op(t, DT_OP_COND_WAIT, cond, DT_LOCK_COND | how, slot);
	if (held) {
		/* Taken again inside glibc, later. */
		t->avoid_passes = true;
		wait->index = shim_want(t, mutex, slot, DT_LOCK_MUTEX);
		t->avoid_passes = false;
	}
	shim_race_unlock(mutex, DT_LOCK_MUTEX);
	if (t->capacity)
		publish(wait, t, cond, how, slot);
}

/* Whatever the wait's result, the mutex is held again as before. */
void shim_cond_wait_end(void *argument)
{
	struct shim_cond_wait *wait = argument;
	struct shim_thread *t = &shim_self;
	shim_block_end(&wait->block);
	shim_waiters_leave(wait->waiters, wait->woken);
	t->avoid_passes = true;
	shim_got(t, wait->index, DT_LOCK_MUTEX + wait->relocks, true);
	t->avoid_passes = false;
	shim_race_lock(wait->mutex, DT_LOCK_MUTEX, true);
}
