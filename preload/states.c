/* states.c: a table of where the threads keep what they hold. Who looks reads all of it, and again: what did
 * not change in between was there at once. The entries themselves are the hot path's and tell of no change
 * that was undone, so each thread counts those of its counted semaphores beside them; a lock that was
 * released and taken again at the same place between the two looks goes for held. Most sets were met before:
 * those cost one pass. */
#include <errno.h>
#include <stdatomic.h>

#include "hash.h"
#include "identity.h"
#include "log.h"
#include "note.h"
#include "process.h"
#include "region.h"
#include "states.h"
#include "thread.h"

enum {
	CELLS = 1024,
	NO_CELL = UINT32_MAX, /* all were taken: nobody sees what the thread holds */
	HELD_MAX = 16,
	PARTS_MAX = 64,
	SETS = 1 << 14,
	SETS_MOST = SETS / 2,
	LOCK_SETS_MOST = SETS_MOST / 2, /* with no counted semaphore: the rest is for those */
	TRIES = 16,
	READS = 3,
	LOOKS_EARLY = 256, /* all of a thread's, then one in so many */
	LOOKS_APART = 16,
	NESTING_BITS = 1 << 24,
	UNITS_MAX = 0x7fff
};

/* What a thread's counted semaphores have seen of changes, on a line of its own. */
struct changes {
	_Alignas(64) _Atomic uint32_t count;
};

struct states {
	_Atomic uint32_t cells, sets;                    /* in use */
	const struct shim_held *_Atomic held[CELLS];     /* NULL: free */
	const struct shim_claims *_Atomic claims[CELLS]; /* NULL: it has declared none */
	_Atomic uint32_t owner[CELLS];                   /* thread id */
	struct changes changes[CELLS];
	_Atomic uint64_t nesting[NESTING_BITS / 64]; /* by context: a section that began there took a second unit */
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

void shim_states_thread_begins(struct shim_thread *t)
{
	t->cell = NO_CELL;
	for (uint32_t i = 0; i < CELLS; i++) {
		const struct shim_held *nobodys = NULL;
		uint32_t most = atomic_load(&states->cells);
		if (atomic_load_explicit(&states->held[i], memory_order_relaxed) ||
		    !atomic_compare_exchange_strong(&states->held[i], &nobodys, t->held))
			continue;
		atomic_store(&states->owner[i], t->id);
		if (shim_claims_any(&t->shown->claims)) /* the child of a fork has them still */
			atomic_store(&states->claims[i], &t->shown->claims);
		while (most <= i && !atomic_compare_exchange_weak(&states->cells, &most, i + 1))
			;
		t->cell = i + 1;
		return;
	}
}

static bool is_shown(const struct shim_thread *t)
{
	return t->cell && t->cell != NO_CELL;
}

void shim_states_moved(struct shim_thread *t)
{
	if (is_shown(t))
		atomic_store(&states->held[t->cell - 1], t->held);
}

void shim_states_declared(struct shim_thread *t, const struct shim_claims *claims)
{
	if (is_shown(t))
		atomic_store(&states->claims[t->cell - 1], claims);
}

void shim_states_thread_ended(struct shim_thread *t)
{
	if (is_shown(t)) {
		atomic_store(&states->claims[t->cell - 1], NULL);
		atomic_store(&states->held[t->cell - 1], NULL);
	}
	t->cell = 0;
}

static uint32_t units_by(uint32_t how)
{
	uint32_t units = 1 + (how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK;
	if ((how & SHIM_HOW_KIND) != DT_LOCK_SEM)
		return 1;
	return units < UNITS_MAX ? units : UNITS_MAX;
}

/* A hash of what a thread holds; 0: nothing. */
static uint64_t hash_held(const struct shim_held *held)
{
	uint64_t hash = 0, more = 0;
	for (uint32_t i = 0; held && i < HELD_MAX; i++) {
		uint32_t how = __atomic_load_n(&held[i].how, __ATOMIC_RELAXED);
		if (!(how & SHIM_HOW_HELD))
			break;
		/* The signature has all below in it, but for their units. */
		if (units_by(how) > 1)
			more = shim_hash64(more + ((uint64_t)units_by(how) << 32 | i));
		hash = shim_hash64(more ^ __atomic_load_n(&held[i].signature, __ATOMIC_RELAXED));
	}
	return hash;
}

static uint64_t hash_claims(const struct shim_claims *claims)
{
	uint64_t hash = 0;
	for (uint32_t i = 0; i < SHIM_CLAIMS; i++) {
		uint64_t resource =
		    (uintptr_t)atomic_load_explicit(&claims->at[i].resource, memory_order_relaxed);
		uint64_t units = atomic_load_explicit(&claims->at[i].units, memory_order_relaxed);
		hash += resource ? shim_hash64(resource ^ units << 48) : 0;
	}
	return hash;
}

/* Of what all hold: it does not tell whose it is. 0: fewer than two hold anything. */
static uint64_t hash_all(void)
{
	uint32_t cells = atomic_load_explicit(&states->cells, memory_order_acquire), holders = 0;
	uint64_t hash = 0;
	for (uint32_t i = 0; i < cells; i++) {
		uint64_t one = hash_held(atomic_load_explicit(&states->held[i], memory_order_acquire));
		const struct shim_claims *claims =
		    atomic_load_explicit(&states->claims[i], memory_order_relaxed);
		hash += one && claims ? shim_hash64(one + hash_claims(claims)) : one;
		holders += one != 0;
	}
	return holders > 1 ? hash | 1 : 0;
}

static uint64_t changes_of_all(void)
{
	uint32_t cells = atomic_load(&states->cells);
	uint64_t changes = 0;
	for (uint32_t i = 0; i < cells; i++)
		changes += atomic_load(&states->changes[i].count);
	return changes;
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
static bool make_known(uint64_t hash, uint32_t most)
{
	for (uint32_t i = (uint32_t)hash, tries = 0; tries < TRIES; i++, tries++) {
		uint64_t seen = 0;
		if (atomic_load(&states->sets) < most &&
		    atomic_compare_exchange_strong(&states->set[i % SETS], &seen, hash)) {
			atomic_fetch_add(&states->sets, 1);
			return true;
		}
		if (seen == hash)
			return false;
	}
	return false;
}

struct set {
	uint32_t count;
	struct dt_state_part parts[PARTS_MAX];
};

static bool add_part(struct set *set, const struct dt_state_part *part)
{
	if ((!part->acq && !part->lock) || set->count == PARTS_MAX)
		return false;
	set->parts[set->count++] = *part;
	return true;
}

/* Of what nobody has ever taken, all is free. */
static bool add_claims(struct set *set, uint32_t thread, const struct shim_claims *claims)
{
	bool room = true, initialised;
	for (uint32_t i = 0; claims && i < SHIM_CLAIMS; i++) {
		const void *resource = atomic_load(&claims->at[i].resource);
		uint32_t lock = resource ? shim_identity_now(resource, &initialised) : 0;
		struct dt_state_part part = {thread, 0, atomic_load(&claims->at[i].units), lock};
		room = room && (!lock || add_part(set, &part));
	}
	return room;
}

/* The acquisition that a thread made last and still holds, and those before it of several units. False: too
 * many, or one that is not in the log. */
static bool add_held(struct set *set, uint32_t thread, const struct shim_held *held, uint32_t *depth)
{
	struct dt_state_part part = {.thread = thread};
	for (*depth = 0; held && *depth < HELD_MAX; ++*depth) {
		struct shim_held e = *(const volatile struct shim_held *)&held[*depth];
		if (!(e.how & SHIM_HOW_HELD))
			break;
		if (part.units > 1 && !add_part(set, &part))
			return false;
		part.acq = shim_note_find(part.acq, &e);
		part.units = units_by(e.how);
		if (!part.acq)
			return false;
	}
	bool whole = *depth < HELD_MAX || !(__atomic_load_n(&held[HELD_MAX].how, __ATOMIC_RELAXED) & SHIM_HOW_HELD);
	return whole && (*depth == 0 || add_part(set, &part));
}

static bool read_all(struct set *set)
{
	uint32_t cells = atomic_load(&states->cells);
	set->count = 0;
	for (uint32_t i = 0; i < cells; i++) {
		uint32_t thread = atomic_load(&states->owner[i]), depth;
		if (!add_held(set, thread, atomic_load(&states->held[i]), &depth) ||
		    (depth && !add_claims(set, thread, atomic_load(&states->claims[i]))))
			return false;
	}
	return true;
}

/* There is a new set, as it looked. One that changes all the time is met again by who changes it. False: it
 * is lost. */
static __attribute__((noinline)) bool record(uint32_t most)
{
	struct set set;
	for (uint32_t tries = 0; tries < READS; tries++) {
		uint64_t changes = changes_of_all(), hash = hash_all();
		if (!hash || is_known(hash))
			return true;
		bool complete = read_all(&set);
		if (hash_all() != hash || changes_of_all() != changes)
			continue;
		if (!make_known(hash, most))
			return is_known(hash);
		if (!complete)
			return false;
		int saved = errno;
		struct dt_rec_state rec = {.head = {DT_REC_STATE, 0, 0}, .count = set.count};
		shim_log_append(&rec.head, sizeof rec, set.parts, set.count * sizeof *set.parts, NULL, 0);
		errno = saved;
		return true;
	}
	return true;
}

static bool is_full(uint32_t most)
{
	return atomic_load_explicit(&states->sets, memory_order_relaxed) >= most;
}

static bool look(uint32_t most)
{
	uint64_t hash = hash_all();
	if (!hash || is_known(hash))
		return true;
	return !is_full(most) && record(most);
}

/* The first that the thread holds. NULL: it holds nothing. */
static const struct shim_held *section_of(const struct shim_thread *t)
{
	uint32_t i = 0;
	while (i < t->depth && !(t->held[i].how & SHIM_HOW_HELD))
		i++;
	return i < t->depth ? &t->held[i] : NULL;
}

void shim_states_nests(const struct shim_thread *t)
{
	const struct shim_held *first = section_of(t);
	uint32_t at = first ? first->context % NESTING_BITS : 0;
	if (first && states)
		atomic_fetch_or_explicit(&states->nesting[at / 64], (uint64_t)1 << at % 64, memory_order_relaxed);
}

/* It has declared what it may take, or the section was seen to take more than one unit. */
static bool is_nesting(const struct shim_thread *t)
{
	const struct shim_held *first = section_of(t);
	uint32_t at = first ? first->context % NESTING_BITS : 0;
	return atomic_load_explicit(&states->claims[t->cell - 1], memory_order_relaxed) ||
	       atomic_load_explicit(&states->nesting[at / 64], memory_order_relaxed) >> at % 64 & 1;
}

static bool is_time(struct shim_thread *t)
{
	return ++t->looks <= LOOKS_EARLY || t->looks % LOOKS_APART == 0;
}

/* A full barrier: of two that get at the same moment, the one that looks later sees the other. */
static void count_change(const struct shim_thread *t)
{
	if (is_shown(t))
		atomic_fetch_add(&states->changes[t->cell - 1].count, 1);
}

void shim_states_got(struct shim_thread *t)
{
	if (t->busy || !shim_process_check(t))
		return;
	count_change(t);
	if (!is_shown(t) || ((is_nesting(t) || is_time(t)) && !look(SETS_MOST)))
		shim_log_count(DT_COUNT_STATES_LOST, 1);
}

void shim_states_gave(struct shim_thread *t)
{
	count_change(t);
}

void shim_states_look(struct shim_thread *t)
{
	if (!t->depth || !is_shown(t) || t->busy ||
	    atomic_load_explicit(&states->cells, memory_order_relaxed) < 2 || !is_time(t))
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (!look(LOCK_SETS_MOST) && is_full(LOCK_SETS_MOST))
		shim_log_count(DT_COUNT_LOCK_STATES_LOST, 1);
}
