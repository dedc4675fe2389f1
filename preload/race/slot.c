/* slot.c: slots and epochs. A slot is taken, in this order: one whose last epoch the thread comes after
 * anyway; one that was never used; any free one; one shared with the fewest others. */
#include <sys/syscall.h>
#include <unistd.h>

#include "../log.h"
#include "engine.h"
#include "predict.h"
#include "trace.h"

enum { PAUSES_MIN = 64, PAUSES_MAX = 512, TRY_EVERY = 256 };

struct slot {
	_Alignas(RACE_LINE) uint32_t epoch; /* the last one given out */
	uint32_t users;
};

static struct slot slots[RACE_SLOTS + 1]; /* the last one is of those that have none */
uint32_t race_era = 1, race_slot_eras[RACE_SLOTS + 1], race_slots_used = 8;
bool race_slot_mixed[RACE_SLOTS + 1];

/* Who looks again at once takes the object's memory away from the processor that works with it, and then both
 * wait for memory most of the time: so it is left alone for longer and longer. The holder may have lost its
 * processor, too: then let it have ours. */
void race_spin_wait(uint32_t *lock)
{
	int pauses = PAUSES_MIN;
	do {
		for (int i = 0; i < pauses; i++)
			__builtin_ia32_pause();
		if (pauses < PAUSES_MAX)
			pauses *= 2;
		else if (__atomic_load_n(lock, __ATOMIC_RELAXED))
			syscall(SYS_sched_yield);
	} while (__atomic_load_n(lock, __ATOMIC_RELAXED) || __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE));
}

void race_clock_drop_swept(struct race_clock *clock)
{
	for (uint32_t i = 0; i < RACE_SLOTS; i++)
		if (race_slot_eras[i] > clock->era)
			clock->epoch[i] = 0;
	clock->era = race_era;
}

static bool is_used_up(const struct slot *slot)
{
	return slot->epoch >= RACE_EPOCH_MAX - 1;
}

/* Cells of used-up slots that nobody is in are removed, and the slots begin anew. */
static void sweep(void)
{
	static bool dead[RACE_SLOTS + 1];
	uint32_t count = 0;
	for (uint32_t i = 0; i < RACE_SLOTS; i++)
		count += dead[i] = !slots[i].users && is_used_up(&slots[i]);
	if (!count)
		return;
	race_shadow_sweep(dead);
	for (uint32_t i = 0; i < RACE_SLOTS; i++) {
		if (!dead[i])
			continue;
		slots[i].epoch = 0;
		race_slot_mixed[i] = false;
		race_slot_eras[i] = race_era + 1;
	}
	__atomic_store_n(&race_era, race_era + 1, __ATOMIC_RELEASE);
}

static struct slot *find(const struct race_thread *t)
{
	struct slot *unused = NULL, *any = NULL, *shared = NULL;
	for (uint32_t i = 0; i < RACE_SLOTS; i++) {
		struct slot *slot = &slots[i];
		if (is_used_up(slot))
			continue;
		if (slot->users) {
			if (!shared || slot->users < shared->users)
				shared = slot;
		} else if (!slot->epoch) {
			unused = unused ? unused : slot;
		} else if (t->clock.epoch[i] >= slot->epoch) {
			return slot;
		} else {
			any = any ? any : slot;
		}
	}
	return unused ? unused : any ? any : shared;
}

/* All are used up, and somebody waits in each. Its own component means nothing, and no cell has it. */
static void stay_without(struct race_thread *t)
{
	if (t->slot != RACE_SLOTS)
		shim_log_count(DT_COUNT_UNWATCHED, 1);
	t->slot = RACE_SLOTS;
	t->epoch = t->clock.epoch[RACE_SLOTS] = t->must.epoch[RACE_SLOTS] = 1;
	t->tries = 0;
	slots[RACE_SLOTS].users++;
	__atomic_store_n(&race_slot_mixed[RACE_SLOTS], true, __ATOMIC_RELEASE);
}

/* Under the lock. */
static void enter(struct race_thread *t)
{
	race_clock_refresh(&t->clock);
	race_clock_refresh(&t->must);
	struct slot *slot = find(t);
	uint32_t used_up = 0;
	for (uint32_t i = 0; i < RACE_SLOTS; i++)
		used_up += is_used_up(&slots[i]) && !slots[i].users;
	if ((!slot || slot->users) && used_up) {
		sweep();
		race_clock_refresh(&t->clock);
		race_clock_refresh(&t->must);
		slot = find(t);
	}
	if (!slot) {
		stay_without(t);
		return;
	}
	t->slot = (uint32_t)(slot - slots);
	if (slot->users)
		shim_log_count(DT_COUNT_SHARED_SLOTS, 1);
	if (slot->users || t->clock.epoch[t->slot] < slot->epoch || t->must.epoch[t->slot] < slot->epoch)
		__atomic_store_n(&race_slot_mixed[t->slot], true, __ATOMIC_RELEASE);
	slot->users++;
	t->epoch = __atomic_add_fetch(&slot->epoch, 1, __ATOMIC_RELAXED);
	if (t->slot >= race_slots_used)
		__atomic_store_n(&race_slots_used, (t->slot + 8) & ~7u, __ATOMIC_RELAXED);
	t->clock.epoch[t->slot] = t->must.epoch[t->slot] = (uint16_t)t->epoch;
}

void race_slot_take(struct race_thread *t)
{
	race_list_lock(RACE_LIST_SLOTS);
	enter(t);
	race_list_unlock(RACE_LIST_SLOTS);
}

void race_slot_leave(struct race_thread *t)
{
	race_list_lock(RACE_LIST_SLOTS);
	slots[t->slot].users--;
	race_list_unlock(RACE_LIST_SLOTS);
}

static __attribute__((noinline)) void change(struct race_hot *hot)
{
	struct race_thread *t = hot->thread;
	race_list_lock(RACE_LIST_SLOTS);
	slots[t->slot].users--;
	enter(t);
	race_list_unlock(RACE_LIST_SLOTS);
	race_watch(hot);
}

/* A thread without a slot has no epochs to count; now and then it looks for a slot. */
static __attribute__((noinline)) void count_none(struct race_hot *hot)
{
	if (++hot->thread->tries % TRY_EVERY == 0)
		change(hot);
}

static inline void count(struct race_hot *hot)
{
	struct race_thread *t = hot->thread;
	struct slot *slot = &slots[t->slot];
	if (SHIM_UNLIKELY(t->slot == RACE_SLOTS)) {
		count_none(hot);
		return;
	}
	/* Alone in it, which is the rule, the count needs no atomic operation: who comes in takes the lock,
	 * and then both count atomically; two may have the same epoch for once, as if they were one thread.
	 */
	uint32_t epoch = SHIM_LIKELY(__atomic_load_n(&slot->users, __ATOMIC_RELAXED) == 1)
	                     ? slot->epoch + 1
	                     : __atomic_add_fetch(&slot->epoch, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->epoch, epoch, __ATOMIC_RELAXED);
	if (SHIM_UNLIKELY(epoch >= RACE_EPOCH_MAX)) {
		change(hot);
		return;
	}
	t->epoch = epoch;
	t->clock.epoch[t->slot] = t->must.epoch[t->slot] = (uint16_t)epoch;
}

void race_epoch_next(struct race_hot *hot)
{
	struct race_thread *t = hot->thread;
	count(hot);
	hot->stamp = race_stamp(t->slot, t->epoch);
	t->clock_grew = false;
	race_predict_epoch(t);
	race_trace_event(hot, RACE_EVENT_EPOCH, hot->stamp);
	t->epoch_trace = hot->trace;
}
