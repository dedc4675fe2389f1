/* note.c: what the fast path has not seen before.
 *
 * The held stack of a thread is a path in the acquisition tree. Each entry's node is looked up when
 * something new happens above it; a node that no thread made before is a new fact. */
#include <errno.h>
#include <pthread.h>

#include "avoid.h"
#include "identity.h"
#include "log.h"
#include "misuse.h"
#include "note.h"
#include "online.h"
#include "options.h"
#include "process.h"
#include "region.h"
#include "seen.h"
#include "signals.h"
#include "states.h"
#include "stats.h"
#include "steer.h"
#include "tables.h"
#include "thread.h"
#include "unwind_memory.h"
#include "want.h"

enum { FOREIGN_RELEASES = 1024, FRAMES_MAX = 128 };

/* Locks released by a thread that did not hold them: the holder's entry is stale. */
static _Atomic uintptr_t foreign_released[FOREIGN_RELEASES];
_Atomic uint32_t shim_foreign_count;

static bool held(const struct shim_held *e)
{
	return e->how & SHIM_HOW_HELD;
}

static uint32_t kind_of(const struct shim_held *e)
{
	return e->how & SHIM_HOW_KIND;
}

static uint32_t nearest_held_below(const struct shim_thread *t, uint32_t index)
{
	while (index-- > 0)
		if (held(&t->held[index]))
			return index;
	return SHIM_NO_ENTRY;
}

static uint64_t signature_below(const struct shim_thread *t, uint32_t index)
{
	uint32_t below = nearest_held_below(t, index);
	return below == SHIM_NO_ENTRY ? 0 : t->held[below].signature;
}

/* Unlink entry `at` from the held stack; what lay above it was not acquired under what is now below. */
static void remove_entry(struct shim_thread *t, uint32_t at)
{
	const struct shim_held gone = t->held[at];
	t->held[at].how = 0;
	atomic_signal_fence(memory_order_seq_cst);
	uint64_t parent = signature_below(t, at);
	for (uint32_t i = at + 1; i < t->depth; i++) {
		struct shim_held *to = &t->held[i - 1];
		*to = t->held[i];
		t->held[i].how = 0;
		if (!held(to))
			continue;
		to->how |= SHIM_HOW_REBASED;
		to->acq = 0;
		to->signature = shim_mix(parent, to->lock, shim_generation_of(to->lock), to->context, to->how) ^ shim_signals_salt(to->signals);
		parent = to->signature;
	}
	atomic_signal_fence(memory_order_seq_cst);
	t->depth--;
	if (SHIM_UNLIKELY(gone.how & SHIM_HOW_AVOIDED))
		shim_avoid_released(t, gone.lock, gone.how);
}

/* A mutex tells whose it is: it may have been released elsewhere and taken again since. */
static bool owns(const struct shim_thread *t, const struct shim_held *e)
{
	return kind_of(e) == DT_LOCK_MUTEX && shim_memory_readable((uintptr_t)e->lock & ~(uintptr_t)7) &&
	       ((const pthread_mutex_t *)e->lock)->__data.__owner == t->owner;
}

void shim_drop_foreign_released(struct shim_thread *t)
{
	if (SHIM_LIKELY(!atomic_load_explicit(&shim_foreign_count, memory_order_relaxed)))
		return;
	for (uint32_t i = 0; i < t->depth;) {
		struct shim_held *e = &t->held[i];
		_Atomic uintptr_t *cell = &foreign_released[shim_generation_bucket(e->lock) & (FOREIGN_RELEASES - 1)];
		uintptr_t lock = (uintptr_t)e->lock;
		/* Still owned: the other is in its unlock, and the mark is for later. */
		if (held(e) && !owns(t, e) && atomic_compare_exchange_strong(cell, &lock, 0)) {
			remove_entry(t, i);
		} else {
			i++;
		}
	}
}

bool shim_released_elsewhere(const void *lock)
{
	uint32_t at = shim_generation_bucket(lock) & (FOREIGN_RELEASES - 1);
	return atomic_load(&shim_foreign_count) && atomic_load(&foreign_released[at]) == (uintptr_t)lock;
}

void shim_not_released_elsewhere(const void *lock)
{
	uintptr_t mark = (uintptr_t)lock;
	atomic_compare_exchange_strong(
	    &foreign_released[shim_generation_bucket(lock) & (FOREIGN_RELEASES - 1)], &mark, 0);
}

struct shim_held *shim_held_find(struct shim_thread *t, const void *lock)
{
	for (uint32_t i = t->depth; i-- > 0;)
		if (t->held[i].lock == lock && held(&t->held[i]))
			return &t->held[i];
	return NULL;
}

static enum dt_op op_of(const struct shim_held *e)
{
	return e->how & SHIM_HOW_REBASED ? DT_OP_HOLD : DT_OP_ACQUIRE;
}

/* What could interrupt is asked of acquisitions; a held set that came about otherwise says nothing of it. */
static uint32_t signals_of(const struct shim_held *e)
{
	return op_of(e) == DT_OP_ACQUIRE ? e->signals : 0;
}

/* The class acquisition of an entry's chain: locks are known by where they were made. A chain that
 * takes two locks of one class says nothing about their order, so the second is left out. */
static uint32_t resolve_class(struct shim_thread *t, uint32_t index, uint32_t *top_class)
{
	struct shim_held *e = &t->held[index];
	uint32_t below = nearest_held_below(t, index), below_class = 0;
	uint32_t parent = below == SHIM_NO_ENTRY ? 0 : resolve_class(t, below, &below_class);
	*top_class = shim_identity_class_of(t, e->lock, kind_of(e), e->context);
	if (!*top_class || (below != SHIM_NO_ENTRY && (!parent || *top_class == below_class)))
		return parent;
	return shim_acq_get(parent, *top_class, e->context, op_of(e), e->how, signals_of(e), true);
}

/* The node of entry `index`, found or added together with those below it. */
static uint32_t resolve(struct shim_thread *t, uint32_t index, uint64_t frame_key, bool *folded)
{
	struct shim_held *e = &t->held[index];
	if (e->acq)
		return e->acq;
	uint32_t below = nearest_held_below(t, index);
	uint32_t parent = 0;
	if (below != SHIM_NO_ENTRY && !(parent = resolve(t, below, 0, folded)))
		return 0;
	uint32_t lock = shim_identity_of(t, e->lock, kind_of(e), e->context, frame_key);
	if (!lock)
		return 0;
	bool room = shim_acq_count() < shim_options.max_acquisitions;
	e->acq = shim_acq_get(parent, lock, e->context, op_of(e), e->how, signals_of(e), room);
	if (!e->acq && !room) {
		uint32_t top_class;
		*folded = true;
		e->acq = resolve_class(t, index, &top_class);
	}
	return e->acq;
}

static void sighted(struct shim_thread *t, uint32_t acq)
{
	if (acq && shim_acq_sighted(acq, t->segment))
		shim_online_feed();
}

/* What identifies the frames above a variable of the calling thread's stack. */
static uint64_t frame_key_of(struct shim_thread *t, const void *lock, uintptr_t slot)
{
	uintptr_t address = (uintptr_t)lock;
	if (address <= slot || address >= t->stack_top)
		return 0;
	struct shim_frame frames[FRAMES_MAX];
	bool complete;
	size_t count = shim_unwind(slot, frames, FRAMES_MAX, &complete);
	uint64_t key = 1;
	for (size_t i = 0; i < count; i++)
		if (frames[i].slot > address)
			key = (key ^ frames[i].slot ^ (frames[i].pc << 17)) * 0x9e3779b97f4a7c15u;
	return key | 1;
}

/* Record entry `index` unless this thread did so before, in this segment. */
static void note(struct shim_thread *t, uint32_t index, uintptr_t slot, struct shim_context *c,
                 const struct shim_pair *pair)
{
	const struct shim_held *e = &t->held[index];
	if (SHIM_LIKELY(shim_seen(t, pair)) || t->busy || !shim_process_check(t))
		return;
	int saved = errno;
	bool folded = false;
	t->busy = 1;
	shim_misuse_use(t, e->lock, kind_of(e), e->context);
	sighted(t, resolve(t, index, frame_key_of(t, e->lock, slot), &folded));
	if (folded) {
		c->folded++;
		shim_log_count(DT_COUNT_FOLDED, c->folded < SHIM_FOLDED_MANY ? 1 : SHIM_FOLDED_SAMPLE);
	}
	shim_seen_add(t, pair);
	t->busy = 0;
	if (index) {
		shim_states_nests(t);
		shim_states_look(t);
	}
	errno = saved;
}

void shim_note_op(struct shim_thread *t, enum dt_op op, void *object, uint32_t how, uintptr_t slot)
{
	if (t->busy || (!t->capacity && !shim_attach(t)))
		return;
	struct shim_context *c = shim_context_find(t, slot);
	uint32_t id_how = how | (uint32_t)op << 12;
	uint64_t signature =
	    shim_mix(signature_below(t, t->depth), object, shim_generation_of(object), c->id, id_how);
	if (shim_tag_seen(t, signature) || !shim_process_check(t))
		return;
	int saved = errno;
	bool folded = false;
	t->busy = 1;
	shim_drop_foreign_released(t);
	if (op != DT_OP_JOIN)
		shim_misuse_use(t, object, how & SHIM_HOW_KIND, c->id);
	uint32_t below = nearest_held_below(t, t->depth);
	uint32_t parent_acq = below == SHIM_NO_ENTRY ? 0 : resolve(t, below, 0, &folded);
	uint32_t id = op == DT_OP_JOIN ? (uint32_t)(uintptr_t)object
	                               : shim_identity_of(t, object, how & SHIM_HOW_KIND, c->id, 0);
	if (id && (parent_acq || below == SHIM_NO_ENTRY)) {
		bool room = shim_acq_count() < shim_options.max_acquisitions;
		sighted(t, shim_acq_get(parent_acq, id, c->id, op, how, 0, room));
	}
	shim_seen_add_tag(t, signature);
	t->busy = 0;
	errno = saved;
}

static uint32_t held_above(const struct shim_thread *t, const struct shim_held *e)
{
	uint32_t count = 0;
	for (const struct shim_held *above = e + 1; above < &t->held[t->depth]; above++)
		count += held(above);
	return count;
}

void shim_note_unit(struct shim_thread *t, void *sem, uint32_t how, uintptr_t slot)
{
	struct shim_held *e = t->busy ? NULL : shim_held_find(t, sem);
	if (!e)
		return;
	uint32_t units = 2 + (e->how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK;
	uint32_t last = nearest_held_below(t, t->depth), outwards = held_above(t, e);
	uint16_t flags = how & (SHIM_HOW_TRY | SHIM_HOW_TIMED) ? DT_UNITS_GIVE_UP : 0;
	uint64_t signature = shim_mix(t->held[last].signature, sem, shim_generation_of(sem), units,
	                              DT_LOCK_SEM | 1u << 15 | (uint32_t)flags << 14);
	if (shim_tag_seen(t, signature) || !shim_process_check(t) || outwards > DT_UNITS_OUTWARDS_MOST)
		return;
	int saved = errno;
	bool folded = false;
	t->busy = 1;
	flags |= (uint16_t)(outwards << DT_UNITS_OUTWARDS_SHIFT);
	struct dt_rec_units rec = {.head = {DT_REC_UNITS, flags, 0}, .units = units};
	rec.acq = resolve(t, last, outwards ? 0 : frame_key_of(t, sem, slot), &folded);
	if (rec.acq && !folded)
		SHIM_LOG(&rec);
	sighted(t, rec.acq); /* wanted now, whenever the first unit was */
	shim_states_nests(t);
	shim_seen_add_tag(t, signature);
	t->busy = 0;
	errno = saved;
}

uint32_t shim_note_find(uint32_t parent, const struct shim_held *e)
{
	bool initialised, add = e->how & SHIM_HOW_REBASED && shim_acq_count() < shim_options.max_acquisitions;
	uint32_t lock = shim_identity_now(e->lock, &initialised);
	return lock ? shim_acq_get(parent, lock, e->context, op_of(e), e->how, signals_of(e), add) : 0;
}

static bool grow_held(struct shim_thread *t)
{
	if (t->held != t->shown->held + 1)
		return false;
	struct shim_held *more = t->block->held_more;
	if (!more && !(more = shim_region_map(SHIM_HELD_MAX * sizeof *more, false)))
		return false;
	t->block->held_more = more;
	for (uint32_t i = 0; i <= t->depth; i++)
		more[i] = t->shown->held[i];
	t->held = more + 1;
	shim_states_moved(t);
	t->capacity = SHIM_HELD_MAX - 1;
	return true;
}

uint32_t shim_want_here(struct shim_thread *t, void *lock, struct shim_context *c)
{
	uint32_t index = t->depth;
	if (SHIM_UNLIKELY(!shim_want_other(t, lock, c)))
		return shim_want_slow(t, lock, c->slot, c->how);
	if (SHIM_UNLIKELY(shim_avoid_on)) {
		c->last_lock = NULL; /* it comes here the next time too */
		shim_avoid_want(t, index, c->how);
	}
	return index;
}

uint32_t shim_want_slow(struct shim_thread *t, void *lock, uintptr_t slot, uint32_t how)
{
	if (!t->capacity && !shim_attach(t))
		return SHIM_NO_ENTRY;
	if (t->depth >= t->capacity && !grow_held(t)) {
		shim_log_count(DT_COUNT_HELD_OVERFLOW, 1);
		return SHIM_NO_ENTRY;
	}
	struct shim_context *c = shim_context_find(t, slot);
	if (!t->busy) {
		shim_drop_foreign_released(t);
		shim_signals_refresh(t, &c);
	}
	uint32_t index = t->depth;
	const struct shim_pair pair = shim_pair_of(t, signature_below(t, index), lock, c->id, how);
	t->depth = index + 1;
	atomic_signal_fence(memory_order_seq_cst);
	struct shim_held *e = &t->held[index];
	*e = (struct shim_held){.lock = lock, .context = c->id, .signals = t->signals, .how = how};
	e->signature = pair.signature;
	note(t, index, slot, c, &pair);
	if (SHIM_UNLIKELY(shim_steering)) {
		c->how = SHIM_HOW_KIND; /* none: it comes here the next time too */
		shim_steer(t, index);
		return index;
	}
	/* Not while a recording below was interrupted: it may have been of this very place. */
	if (!t->busy) {
		c->last_lock = NULL;
		c->how = (uint16_t)how;
		if (SHIM_LIKELY(!shim_avoid_on))
			shim_want_remember(t, c, &pair);
	}
	if (SHIM_UNLIKELY(shim_avoid_on))
		shim_avoid_want(t, index, how);
	return index;
}

void shim_not_got(struct shim_thread *t, uint32_t index)
{
	if (index == SHIM_NO_ENTRY)
		return;
	if (SHIM_UNLIKELY(shim_avoid_on))
		shim_avoid_not_got(t, index);
	t->held[index].how = 0;
	atomic_signal_fence(memory_order_seq_cst);
	t->depth = index;
}

bool shim_relock(struct shim_thread *t, void *lock)
{
	for (uint32_t i = t->depth; i-- > 0;) {
		if (t->held[i].lock == lock && held(&t->held[i])) {
			t->held[i].how += SHIM_HOW_RELOCK;
			return true;
		}
	}
	return false;
}

/* Somebody else's: remember the address, so that the holder's slow path drops its stale entry, and
 * change the generation, so that it comes to the slow path. */
static void released_elsewhere(void *lock)
{
	uint32_t bucket = shim_generation_bucket(lock);
	atomic_store(&foreign_released[bucket & (FOREIGN_RELEASES - 1)], (uintptr_t)lock);
	atomic_fetch_add(&shim_foreign_count, 1);
	atomic_fetch_add(&shim_generation[bucket], 1);
}

bool shim_release_slow(struct shim_thread *t, void *lock)
{
	if (!t->capacity)
		return true;
	for (uint32_t i = t->depth; i-- > 0;) {
		if (t->held[i].lock != lock || !held(&t->held[i]))
			continue;
		if (t->held[i].how & SHIM_HOW_RELOCKS) {
			t->held[i].how -= SHIM_HOW_RELOCK;
			if (SHIM_UNLIKELY(t->held[i].how & SHIM_HOW_AVOIDED) && kind_of(&t->held[i]) == DT_LOCK_SEM)
				shim_avoid_released(t, lock, t->held[i].how);
			return true;
		}
		if (t->held[i].how & SHIM_HOW_SAMPLED)
			shim_stats_released(t, &t->held[i]);
		remove_entry(t, i);
		return true;
	}
	if (!t->busy)
		released_elsewhere(lock);
	return t->busy;
}
