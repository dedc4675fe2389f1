/* wait.c: what is held, and wanted, while a thread waits on a condition. */
#include <errno.h>

#include "avoid.h"
#include "misuse.h"
#include "mutex.h"
#include "note.h"
#include "objects.h"
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

/* glibc takes off one lock of a recursive mutex: one that was locked more often stays the thread's. */
static void release(struct shim_cond_wait *wait, struct shim_thread *t, struct shim_held *held)
{
	wait->kept = held->how & SHIM_HOW_RELOCKS;
	if (wait->kept)
		held->how -= SHIM_HOW_RELOCK;
	else
		shim_release(t, wait->mutex);
}

/* Taken again inside glibc, later. */
static void want_again(struct shim_cond_wait *wait, struct shim_thread *t, uintptr_t slot)
{
	t->avoid_passes = true;
	wait->index = shim_want(t, wait->mutex, slot, DT_LOCK_MUTEX);
	t->avoid_passes = false;
}

void shim_cond_wait_begin(struct shim_cond_wait *wait, void *cond, void *mutex, uint32_t how, uintptr_t slot)
{
	struct shim_thread *t = &shim_self;
	struct shim_held *held = t->capacity ? shim_held_find(t, mutex) : NULL;
	*wait = (struct shim_cond_wait){.mutex = mutex, .index = SHIM_NO_ENTRY, .held = held, .woken = true};
	if (held)
		release(wait, t, held);
	shim_note_op(t, DT_OP_COND_WAIT, cond, DT_LOCK_COND | how, slot);
	if (held && !wait->kept)
		want_again(wait, t, slot);
	if (!wait->kept)
		shim_race_unlock(mutex, DT_LOCK_MUTEX);
	if (t->capacity)
		publish(wait, t, cond, how, slot);
}

/* Not one whose last owner died: released before the program has made it consistent, it is lost for all. Its owner
 * reads otherwise then, as that of a mutex which was not got. */
static bool may_be_released(const struct shim_cond_wait *wait, const struct shim_thread *t)
{
	return wait->index != SHIM_NO_ENTRY && t->owner && shim_mutex_owner(wait->mutex) == t->owner;
}

/* False: it is counted as any lock that was got without asking. */
static bool ask(struct shim_cond_wait *wait, struct shim_thread *t)
{
	if (!shim_avoid_on || !may_be_released(wait, t))
		return false;
	if (!shim_avoid_ask(t, wait->index, DT_LOCK_MUTEX)) {
		shim_mutex_give(wait->mutex);
		shim_avoid_await(t, wait->index, DT_LOCK_MUTEX);
		wait->retaken = shim_mutex_take(t, wait->mutex, wait->index);
	}
	return true;
}

static bool is_lost(const struct shim_cond_wait *wait)
{
	return wait->result == ENOTRECOVERABLE || (wait->retaken && wait->retaken != EOWNERDEAD);
}

/* Whatever the wait's result, the mutex is held again as before, but for one that no thread can have any more. */
void shim_cond_wait_end(void *argument)
{
	struct shim_cond_wait *wait = argument;
	struct shim_thread *t = &shim_self;
	shim_block_end(&wait->block);
	shim_waiters_leave(wait->waiters, wait->woken);
	if (wait->kept) {
		shim_relock(t, wait->mutex);
		return;
	}
	t->avoid_passes = !ask(wait, t);
	bool got = !is_lost(wait);
	shim_got(t, wait->index, DT_LOCK_MUTEX, got);
	t->avoid_passes = false;
	shim_race_lock(wait->mutex, DT_LOCK_MUTEX, got);
}
