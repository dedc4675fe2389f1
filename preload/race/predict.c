/* predict.c: which of the ordered conflicts only luck has ordered.
 *
 * Must-happen-before leaves out that a lock was released here and taken there, but not where it matters: when
 * two critical sections of one lock have conflicting accesses, the later one may depend on the earlier (a
 * queue, a flag), and what follows it comes after the earlier section in every schedule that does the same.
 * This is the first rule of WCP (Kini, Mathur, Viswanathan, PLDI 2017), taken more widely: after the first
 * conflict under a lock, everything is learned that earlier holders of it had published (also when the
 * conflict itself is in order anyway: what the earlier section did after it is not yet). What is left are
 * accesses without a common lock, ordered by sections that had nothing to do with each other.
 *
 * The held set of an epoch is an interned number; taking or releasing a lock begins a new epoch,
 * unless nothing was done in the last one. Of a set that is too large, or finds no room, nothing is known,
 * and nothing is said. */
#include "predict.h"

#include "../options.h"
#include "../region.h"
#include "report.h"
#include "sync.h"

enum { SETS = 1 << 16, SET_LOCKS = 6, PROBES = 64, UNKNOWN = SETS - 1 };

struct lockset {
	uint32_t state; /* 0 free, 1 being written, 2 there */
	uint32_t count;
	uintptr_t locks[SET_LOCKS];
};

static struct lockset *sets;
static uint16_t (*set_of)[RACE_EPOCH_MAX + 1]; /* by slot and epoch */

static bool open_tables(void)
{
	if (__atomic_load_n(&set_of, __ATOMIC_ACQUIRE))
		return true;
	race_list_lock(RACE_LIST_SETS);
	if (!set_of && (sets = shim_region_map(SETS * sizeof *sets, false)))
		__atomic_store_n(&set_of, shim_region_map((RACE_SLOTS + 1) * sizeof *set_of, false),
		                 __ATOMIC_RELEASE);
	race_list_unlock(RACE_LIST_SETS);
	return set_of != NULL;
}

static bool same(const struct lockset *set, const uintptr_t *locks, uint32_t count)
{
	bool equal = set->count == count;
	for (uint32_t i = 0; equal && i < count; i++)
		equal = set->locks[i] == locks[i];
	return equal;
}

/* In order of address: who took which first doesn't matter. */
static void put_in_order(uintptr_t *locks, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		for (uint32_t j = i; j > 0 && locks[j] < locks[j - 1]; j--) {
			uintptr_t swapped = locks[j];
			locks[j] = locks[j - 1];
			locks[j - 1] = swapped;
		}
}

/* 0 is the empty set. */
static uint32_t intern(const struct race_thread *t)
{
	uintptr_t locks[SET_LOCKS];
	uint32_t count = t->lock_count;
	uint64_t hash = 0;
	if (count > SET_LOCKS)
		return UNKNOWN;
	for (uint32_t i = 0; i < count; i++)
		locks[i] = (uintptr_t)t->locks[i].lock;
	put_in_order(locks, count);
	for (uint32_t i = 0; i < count; i++)
		hash = (hash ^ locks[i]) * 0x9e3779b97f4a7c15u;
	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t at = ((uint32_t)(hash >> 40) + i) & (SETS - 1);
		if (!at || at == UNKNOWN)
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
	return UNKNOWN;
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

static void learn(struct race_thread *t, const void *object)
{
	struct race_sync *sync = race_sync_lock((uintptr_t)object, false);
	if (!sync)
		return;
	if (sync->must) {
		race_clock_refresh(sync->must);
		race_clock_refresh(&t->must);
		if (race_clock_join(&t->must, sync->must))
			race_learned(t);
	}
	race_sync_unlock(sync);
}

static bool has(const struct lockset *set, const void *lock)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (set->locks[i] == (uintptr_t)lock)
			return true;
	return false;
}

/* The calling thread holds one of the set too, and learns what its earlier holders had published: once while
 * it holds it. Readers come and go meanwhile, so what they publish may be missed. Of a set that is not known
 * it may be any. */
static bool common_lock(struct race_thread *t, uint32_t set)
{
	bool common = false;
	for (uint32_t i = 0; i < t->lock_count; i++) {
		struct race_lock *held = &t->locks[i];
		if (set != UNKNOWN && !has(&sets[set], held->lock))
			continue;
		common = true;
		if (held->learned)
			continue;
		learn(t, held->lock);
		if (race_is_rwlock(held->how) && !(held->how & SHIM_HOW_SHARED))
			learn(t, race_readers_of(held->lock));
		held->learned = 1;
		t->unlearned--;
	}
	return common;
}

void race_predict(struct race_hot *hot, uintptr_t word, race_cell cell, race_cell old,
                  const struct race_access *access)
{
	if (!shim_options.predict || hot->busy || !__atomic_load_n(&set_of, __ATOMIC_ACQUIRE))
		return;
	struct race_thread *t = hot->thread;
	uint32_t slot = race_cell_slot(old), epoch = race_cell_epoch(old);
	uint32_t set = set_of[slot][epoch];
	bool by_luck = t->must.epoch[slot] < epoch && set != UNKNOWN && t->lockset != UNKNOWN;
	race_enter(hot);
	bool common = common_lock(t, set);
	race_leave(hot);
	if (by_luck && !common && !access->is_free)
		race_report_predicted(hot, word, cell, old, access);
}

void race_predict_forgotten(struct race_hot *hot, race_cell old)
{
	struct race_thread *t = hot->thread;
	uint32_t slot = race_cell_slot(old), epoch = race_cell_epoch(old);
	if (!t->unlearned || slot == t->slot || t->clock.epoch[slot] < epoch || !shim_options.predict ||
	    hot->busy || !__atomic_load_n(&set_of, __ATOMIC_ACQUIRE))
		return;
	race_enter(hot);
	common_lock(t, set_of[slot][epoch]);
	race_leave(hot);
}

void race_predict_atomic(struct race_hot *hot, uintptr_t address, unsigned bytes_log, uint32_t kind)
{
	struct race_thread *t = hot->thread;
	if (!shim_options.predict || hot->busy || !__atomic_load_n(&set_of, __ATOMIC_ACQUIRE))
		return;
	const race_cell *cells = race_cells_of(address);
	race_cell mask = ((1u << (1u << bytes_log)) - 1) << (address & 7) & RACE_MASK;
	race_enter(hot);
	for (int i = 0; i < RACE_CELLS && t->unlearned; i++) {
		race_cell old = __atomic_load_n(&cells[i], __ATOMIC_RELAXED);
		uint32_t slot = race_cell_slot(old), epoch = race_cell_epoch(old);
		if ((old & mask) && (old & RACE_ATOMIC) && !(old & kind & RACE_READ) && slot != t->slot &&
		    t->clock.epoch[slot] >= epoch && t->must.epoch[slot] < t->clock.epoch[slot])
			common_lock(t, set_of[slot][epoch]);
	}
	race_leave(hot);
}
