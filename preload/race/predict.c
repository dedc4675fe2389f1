/* predict.c: which of the ordered conflicts only luck has ordered.
 *
 * Must-happen-before leaves out that a lock was released here and taken there, but not where it matters: when
 * two critical sections of one lock have conflicting accesses, the later one may depend on the earlier (a
 * queue, a flag), and what follows it comes after the earlier section in every schedule that does the same.
 * This is the first rule of WCP (Kini, Mathur, Viswanathan, PLDI 2017), taken more widely: after the first
 * conflict under a lock, everything is learned that earlier holders of it had published. What is left are
 * accesses without a common lock, ordered by sections that had nothing to do with each other.
 *
 * The held set of an epoch is an interned number; taking or releasing a lock begins a new epoch,
 * unless nothing was done in the last one. */
#include "predict.h"

#include "../options.h"
#include "../region.h"
#include "report.h"
#include "sync.h"

enum { SETS = 1 << 15, SET_LOCKS = 6 };

struct lockset {
	uint32_t state; /* 0 free, 1 being written, 2 there */
	uint32_t count;
	uintptr_t locks[SET_LOCKS];
};

static struct lockset *sets;
static uint16_t (*set_of)[RACE_EPOCH_MAX + 1]; /* by slot and epoch */
static uint32_t open_lock;

static bool open_tables(void)
{
	if (__atomic_load_n(&set_of, __ATOMIC_ACQUIRE))
		return true;
	race_spin_lock(&open_lock);
	if (!set_of && (sets = shim_region_map(SETS * sizeof *sets, false)))
		__atomic_store_n(&set_of, shim_region_map((RACE_SLOTS + 1) * sizeof *set_of, false),
		                 __ATOMIC_RELEASE);
	race_spin_unlock(&open_lock);
	return set_of != NULL;
}

static bool same(const struct lockset *set, const uintptr_t *locks, uint32_t count)
{
	return set->count == count && __builtin_memcmp(set->locks, locks, count * sizeof *locks) == 0;
}

/* 0: the empty set, or no room. */
static uint32_t intern(const struct race_thread *t)
{
	uintptr_t locks[SET_LOCKS];
	uint32_t count = 0;
	uint64_t hash = 0;
	for (uint32_t i = t->lock_count; i-- > 0 && count < SET_LOCKS;)
		hash = (hash ^ (locks[count++] = (uintptr_t)t->locks[i].lock)) * 0x9e3779b97f4a7c15u;
	for (uint32_t i = 0; count && i < 64; i++) {
		uint32_t at = ((uint32_t)(hash >> 40) + i) & (SETS - 1);
		if (!at)
			continue;
		uint32_t state = __atomic_load_n(&sets[at].state, __ATOMIC_ACQUIRE);
		if (!state && __atomic_compare_exchange_n(&sets[at].state, &state, 1, false, __ATOMIC_ACQ_REL,
		                                __ATOMIC_ACQUIRE)) {
			sets[at].count = count;
			__builtin_memcpy(sets[at].locks, locks, count * sizeof *locks);
			__atomic_store_n(&sets[at].state, 2, __ATOMIC_RELEASE);
			return at;
		}
		if (state == 2 && same(&sets[at], locks, count))
			return at;
	}
	return 0;
}

void race_predict_epoch(const struct race_thread *t)
{
	if (shim_options.predict && open_tables())
		set_of[t->slot][t->epoch] = (uint16_t)t->lockset;
}

bool race_predict_lockset(struct race_thread *t)
{
	if (!shim_options.predict || !open_tables())
		return false;
	uint32_t before = t->lockset;
	t->lockset = t->lock_count ? intern(t) : 0;
	return t->lockset != before;
}

/* The calling thread holds it too, and learns what its earlier holders had published. */
static bool common_lock(struct race_thread *t, const struct lockset *set)
{
	bool common = false;
	for (uint32_t i = 0; i < set->count; i++)
		for (uint32_t j = 0; j < t->lock_count; j++) {
			if (set->locks[i] != (uintptr_t)t->locks[j].lock)
				continue;
			common = true;
			struct race_sync *sync = race_sync_lock(set->locks[i], false);
			if (!sync)
				continue;
			if (sync->must) {
				race_clock_refresh(sync->must);
				race_clock_refresh(&t->must);
				t->clock_grew |= race_clock_join(&t->must, sync->must);
			}
			race_sync_unlock(sync);
		}
	return common;
}

void race_predict(struct race_hot *hot, uintptr_t word, race_cell cell, race_cell old,
                  const struct race_access *access)
{
	if (!shim_options.predict || hot->busy || !__atomic_load_n(&set_of, __ATOMIC_ACQUIRE))
		return;
	struct race_thread *t = hot->thread;
	hot->busy = 1;
	bool common = common_lock(t, &sets[set_of[race_cell_slot(old)][race_cell_epoch(old)]]);
	hot->busy = 0;
	if (!common && !access->is_free)
		race_report_predicted(hot, word, cell, old, access);
}
