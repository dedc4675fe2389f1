/* states.c: a cell is the counted semaphores that one thread holds, with the units of each, and a count of
 * changes, so that a set read twice is not one that came again in between. */
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
	HELD_MAX = 7,
	PARTS_MAX = 64,
	SETS = 1 << 14,
	SETS_MOST = SETS / 2,
	UNITS_MAX = 0x7fff,
	ACQ_BITS = 25
};

struct cell {
	_Atomic uint32_t owner, changes; /* owner: thread id; 0: free */
	_Atomic uint64_t what[HELD_MAX]; /* units << ACQ_BITS | acquisition, outermost first; 0: no more */
};

struct states {
	_Atomic uint32_t cells, sets; /* in use */
	struct cell cell[CELLS];
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

static struct cell *own_cell(struct shim_thread *t)
{
	for (uint32_t i = 0; !t->cell && i < CELLS; i++) {
		uint32_t nobody = 0;
		if (atomic_load_explicit(&states->cell[i].owner, memory_order_relaxed) ||
		    !atomic_compare_exchange_strong(&states->cell[i].owner, &nobody, t->id))
			continue;
		t->cell = i + 1;
		uint32_t most = atomic_load(&states->cells);
		while (most <= i && !atomic_compare_exchange_weak(&states->cells, &most, i + 1))
			;
	}
	return t->cell ? &states->cell[t->cell - 1] : NULL;
}

static bool is_counted(const struct shim_held *e)
{
	return (e->how & SHIM_HOW_HELD) && (e->how & SHIM_HOW_KIND) == DT_LOCK_SEM &&
	       shim_identity_units_of(e->lock) > 1;
}

static void show(struct shim_thread *t, struct cell *cell)
{
	uint32_t count = 0;
	atomic_fetch_add(&cell->changes, 1);
	for (uint32_t i = 0; i < t->depth && count < HELD_MAX; i++) {
		struct shim_held *e = &t->held[i];
		uint32_t acq = is_counted(e) ? shim_note_acq(t, e) : 0;
		uint64_t units = 1 + (e->how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK;
		if (acq)
			atomic_store(&cell->what[count++],
			             (units < UNITS_MAX ? units : UNITS_MAX) << ACQ_BITS | acq);
	}
	while (count < HELD_MAX && atomic_load_explicit(&cell->what[count], memory_order_relaxed))
		atomic_store(&cell->what[count++], 0);
	atomic_fetch_add(&cell->changes, 1);
}

/* What all cells held at once. */
struct set {
	uint32_t cells, count;
	uint64_t changes; /* a sum: counts only grow */
	struct dt_state_part parts[PARTS_MAX];
};

static void read_cells(struct set *set)
{
	uint32_t cells = atomic_load(&states->cells);
	*set = (struct set){0};
	for (uint32_t i = 0; i < cells; i++) {
		struct cell *cell = &states->cell[i];
		uint64_t what = atomic_load(&cell->what[0]);
		set->changes += atomic_load(&cell->changes);
		set->cells += what != 0;
		for (uint32_t h = 0; what && h < HELD_MAX && set->count < PARTS_MAX; h++) {
			set->parts[set->count++] = (struct dt_state_part){
			    .thread = atomic_load(&cell->owner),
			    .acq = (uint32_t)(what & ((1u << ACQ_BITS) - 1)),
			    .units = (uint32_t)(what >> ACQ_BITS),
			};
			what = h + 1 < HELD_MAX ? atomic_load(&cell->what[h + 1]) : 0;
		}
	}
}

/* Was the set met before? Whose it is does not matter: the sum of the parts' hashes. */
static bool is_known(const struct set *set)
{
	uint64_t hash = 1;
	for (uint32_t i = 0; i < set->count; i++)
		hash += shim_hash64((uint64_t)set->parts[i].units << ACQ_BITS | set->parts[i].acq);
	hash |= 1;
	for (uint32_t i = (uint32_t)hash, tries = 0; tries < 16; i++, tries++) {
		uint64_t seen = atomic_load(&states->set[i % SETS]);
		if (!seen && atomic_load(&states->sets) < SETS_MOST &&
		    atomic_compare_exchange_strong(&states->set[i % SETS], &seen, hash)) {
			atomic_fetch_add(&states->sets, 1);
			return false;
		}
		if (seen == hash)
			return true;
	}
	return true;
}

static void look(void)
{
	struct set set, again;
	read_cells(&set);
	if (set.cells < 2)
		return;
	read_cells(&again);
	if (set.changes != again.changes || set.count != again.count || is_known(&set))
		return;
	struct dt_rec_state rec = {.head = {DT_REC_STATE, 0, 0}, .count = set.count};
	shim_log_append(&rec.head, sizeof rec, set.parts, set.count * sizeof *set.parts, NULL, 0);
}

void shim_states_got(struct shim_thread *t, const void *sem)
{
	if (shim_identity_units_of(sem) < 2 || t->busy || !shim_process_check(t))
		return;
	int saved = errno;
	struct cell *cell = own_cell(t);
	if (cell) {
		show(t, cell);
		look();
	}
	errno = saved;
}

void shim_states_gave(struct shim_thread *t)
{
	if (t->cell && !t->busy)
		show(t, &states->cell[t->cell - 1]);
}

void shim_states_thread_ended(struct shim_thread *t)
{
	if (!t->cell)
		return;
	struct cell *cell = &states->cell[t->cell - 1];
	for (uint32_t i = 0; i < HELD_MAX; i++)
		atomic_store(&cell->what[i], 0);
	atomic_fetch_add(&cell->changes, 2);
	t->cell = 0;
	atomic_store(&cell->owner, 0);
}
