/* states.c: a cell is the counted semaphores that one thread holds, with the units of each, and a count of
 * changes, odd while it is written, so that a set read twice is not one that came again in between. Most sets
 * were met before: those cost one pass over the cells. */
#include <errno.h>
#include <stdatomic.h>

#include "hash.h"
#include "identity.h"
#include "log.h"
#include "note.h"
#include "process.h"
#include "region.h"
#include "states.h"

enum {
	CELLS = 1024,
	NO_CELL = UINT32_MAX, /* all were taken: the thread shows nothing */
	HELD_MAX = 7,
	PARTS_MAX = 64,
	MEMO = 8,
	SETS = 1 << 14,
	SETS_MOST = SETS / 2,
	TRIES = 16,
	READS = 3,
	UNITS_MAX = 0x7fff,
	ACQ_BITS = 25
};

/* A cache line, that others read whenever one of them takes a unit. */
struct cell {
	_Alignas(64) _Atomic uint32_t owner; /* thread id; 0: free */
	_Atomic uint32_t changes;
	_Atomic uint64_t what[HELD_MAX]; /* units << ACQ_BITS | acquisition, outermost first; 0: no more */
};

/* The acquisitions that a thread's last entries were. */
struct memo {
	uint64_t signature[MEMO];
	uint32_t acq[MEMO];
};

struct states {
	_Atomic uint32_t cells, sets; /* in use */
	struct cell cell[CELLS];
	struct memo memo[CELLS];
	_Atomic uint64_t set[SETS]; /* hashes of what was logged */
};

static struct states *states;

bool shim_states_open(void)
{
	states = shim_region_map(sizeof *states, true);
	return states != NULL;
}

void shim_states_forked(void)
{
	shim_self.cell = 0;
}

static uint32_t take_cell(const struct shim_thread *t)
{
	for (uint32_t i = 0; i < CELLS; i++) {
		uint32_t nobody = 0, most = atomic_load(&states->cells);
		if (atomic_load_explicit(&states->cell[i].owner, memory_order_relaxed) ||
		    !atomic_compare_exchange_strong(&states->cell[i].owner, &nobody, t->id))
			continue;
		states->memo[i] = (struct memo){0};
		while (most <= i && !atomic_compare_exchange_weak(&states->cells, &most, i + 1))
			;
		return i + 1;
	}
	shim_log_count(DT_COUNT_STATES_LOST, 1);
	return NO_CELL;
}

static uint32_t acq_of(struct shim_thread *t, struct shim_held *e)
{
	struct memo *memo = &states->memo[t->cell - 1];
	uint32_t at = (uint32_t)e->signature % MEMO;
	if (memo->signature[at] != e->signature) {
		memo->acq[at] = shim_note_acq(t, e);
		memo->signature[at] = memo->acq[at] ? e->signature : 0;
	}
	return memo->acq[at];
}

static bool is_counted(const struct shim_held *e)
{
	return (e->how & SHIM_HOW_HELD) && (e->how & SHIM_HOW_KIND) == DT_LOCK_SEM &&
	       shim_identity_units_of(e->lock) > 1;
}

/* `known`: an entry that is one of a counted semaphore. */
static void show(struct shim_thread *t, const struct shim_held *known)
{
	struct cell *cell = &states->cell[t->cell - 1];
	uint32_t count = 0, changes = atomic_load_explicit(&cell->changes, memory_order_relaxed);
	atomic_store_explicit(&cell->changes, changes + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (uint32_t i = 0; i < t->depth; i++) {
		struct shim_held *e = &t->held[i];
		uint32_t acq = e == known || is_counted(e) ? acq_of(t, e) : 0;
		uint64_t units = 1 + (e->how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK;
		if (!acq)
			continue;
		if (count == HELD_MAX) {
			shim_log_count(DT_COUNT_STATES_LOST, 1);
			break;
		}
		atomic_store_explicit(&cell->what[count++],
		                      (units < UNITS_MAX ? units : UNITS_MAX) << ACQ_BITS | acq,
		                      memory_order_relaxed);
	}
	while (count < HELD_MAX && atomic_load_explicit(&cell->what[count], memory_order_relaxed))
		atomic_store_explicit(&cell->what[count++], 0, memory_order_relaxed);
	/* A full barrier: of two that show at the same moment, the one that looks later sees the other. */
	atomic_exchange(&cell->changes, changes + 2);
}

/* What all cells hold: a hash that does not tell whose it is. 0: fewer than two hold anything. */
static uint64_t hash_cells(void)
{
	uint32_t cells = atomic_load_explicit(&states->cells, memory_order_acquire), holders = 0;
	uint64_t hash = 1, what;
	for (uint32_t i = 0; i < cells; i++) {
		const struct cell *cell = &states->cell[i];
		for (uint32_t h = 0;
		     h < HELD_MAX && (what = atomic_load_explicit(&cell->what[h], memory_order_relaxed));
		     h++) {
			hash += shim_hash64(what);
			holders += h == 0;
		}
	}
	return holders > 1 ? hash | 1 : 0;
}

static bool is_known(uint64_t hash)
{
	for (uint32_t i = (uint32_t)hash, tries = 0; tries < TRIES; i++, tries++) {
		uint64_t seen = atomic_load_explicit(&states->set[i % SETS], memory_order_relaxed);
		if (!seen || seen == hash)
			return seen;
	}
	return false;
}

/* False: another was faster, or there is no room. */
static bool make_known(uint64_t hash)
{
	for (uint32_t i = (uint32_t)hash, tries = 0; tries < TRIES; i++, tries++) {
		uint64_t seen = 0;
		if (atomic_load(&states->sets) < SETS_MOST &&
		    atomic_compare_exchange_strong(&states->set[i % SETS], &seen, hash)) {
			atomic_fetch_add(&states->sets, 1);
			return true;
		}
		if (seen == hash)
			return false;
	}
	shim_log_count(DT_COUNT_STATES_LOST, 1);
	return false;
}

/* What all cells held at once. */
struct set {
	uint32_t count;
	bool cut, changing;
	uint64_t hash;    /* as hash_cells has it */
	uint64_t changes; /* a sum: counts only grow */
	struct dt_state_part parts[PARTS_MAX];
};

static void add_part(struct set *set, uint32_t thread, uint64_t what)
{
	set->hash += shim_hash64(what);
	set->cut |= set->count == PARTS_MAX;
	if (set->cut)
		return;
	set->parts[set->count++] = (struct dt_state_part){.thread = thread,
	                                                  .acq = (uint32_t)(what & ((1u << ACQ_BITS) - 1)),
	                                                  .units = (uint32_t)(what >> ACQ_BITS)};
}

static void read_cells(struct set *set)
{
	uint32_t cells = atomic_load(&states->cells);
	*set = (struct set){.hash = 1};
	for (uint32_t i = 0; i < cells; i++) {
		const struct cell *cell = &states->cell[i];
		uint32_t changes = atomic_load(&cell->changes);
		uint64_t what;
		set->changing |= changes & 1;
		set->changes += changes;
		for (uint32_t h = 0; h < HELD_MAX && (what = atomic_load(&cell->what[h])); h++)
			add_part(set, atomic_load(&cell->owner), what);
	}
}

/* True: nobody changed anything while it was read. */
static bool read_at_once(struct set *set)
{
	for (uint32_t tries = 0; tries < READS; tries++) {
		struct set again;
		read_cells(set);
		read_cells(&again);
		if (!set->changing && set->changes == again.changes)
			return true;
	}
	return false;
}

/* There is a new set, as it looked. One that changes all the time is met again by who changes it. */
static __attribute__((noinline)) void record(void)
{
	struct set set;
	if (!read_at_once(&set) || set.count < 2 || is_known(set.hash | 1) || !make_known(set.hash | 1))
		return;
	if (set.cut) {
		shim_log_count(DT_COUNT_STATES_LOST, 1);
		return;
	}
	int saved = errno;
	struct dt_rec_state rec = {.head = {DT_REC_STATE, 0, 0}, .count = set.count};
	shim_log_append(&rec.head, sizeof rec, set.parts, set.count * sizeof *set.parts, NULL, 0);
	errno = saved;
}

void shim_states_got(struct shim_thread *t, const struct shim_held *e)
{
	if (t->busy || !shim_process_check(t))
		return;
	if (SHIM_UNLIKELY(!t->cell))
		t->cell = take_cell(t);
	if (t->cell == NO_CELL)
		return;
	show(t, e);
	uint64_t hash = hash_cells();
	if (hash && !is_known(hash))
		record();
}

void shim_states_gave(struct shim_thread *t)
{
	if (t->cell && t->cell != NO_CELL && !t->busy)
		show(t, NULL);
}

void shim_states_thread_ended(struct shim_thread *t)
{
	uint32_t at = t->cell;
	t->cell = 0;
	if (!at || at == NO_CELL)
		return;
	struct cell *cell = &states->cell[at - 1];
	atomic_fetch_add(&cell->changes, 1);
	for (uint32_t i = 0; i < HELD_MAX; i++)
		atomic_store(&cell->what[i], 0);
	atomic_fetch_add(&cell->changes, 1);
	atomic_store(&cell->owner, 0);
}
