/* state_wants.c: what may come to be wanted while an acquisition is held. Each acquisition of the tree that
 * waits for ever was wanted under all that it is nested in, so it is noted there; of locks that are held in
 * no state there is always enough, and those are left out. */
#include <string.h>

#include "states.h"

enum {
	DEPTH_MAX = 256,
	WANTS_KEPT = 8,     /* of one lock, of those that were seen at several places */
	PAIRS_MOST = 1 << 16 /* of sightings */
};

/* Each sighting of the one happens before each of the other. Who compares too many says no. */
static bool was_before(struct dt_facts *facts, const struct dt_acq *acq, const struct dt_acq *other)
{
	if (!acq->segment_count || !other->segment_count || acq->segment_count > PAIRS_MOST / other->segment_count)
		return false;
	for (uint32_t i = acq->segment_count; i-- > 0;)
		for (uint32_t j = 0; j < other->segment_count; j++)
			if (acq->segments[i] >= other->segments[j] ||
			    !dt_facts_happens_before(facts, acq->segments[i], other->segments[j]))
				return false;
	return true;
}

/* It was wanted for the last time before another member took what it holds. */
static bool is_past(const struct dt_check_state *state, const struct dt_state_member *member,
                    const struct dt_state_want *want)
{
	const struct dt_acq *seen = want->seen ? dt_facts_acq(state->facts, want->seen) : NULL;

	for (uint32_t m = 0; seen && m < state->member_count; m++) {
		const struct dt_state_member *other = &state->members[m];
		const struct dt_acq *holds = dt_facts_acq(state->facts, other->first_acq);
		if (other->thread != member->thread && holds && was_before(state->facts, seen, holds))
			return true;
	}
	return false;
}

static struct dt_state_want *first_want(const struct dt_check_state *state, uint32_t acq, uint32_t lock)
{
	const uint32_t *at = dt_pairmap_find(&state->want_of, dt_pair(acq, lock));

	return at ? &state->wants.at[*at] : NULL;
}

static struct dt_state_want *next_want(const struct dt_check_state *state, const struct dt_state_want *want)
{
	return want->next ? &state->wants.at[want->next - 1] : NULL;
}

const struct dt_state_want *dt_state_want(const struct dt_check_state *state, const struct dt_state_member *member,
                                          uint32_t acq, uint32_t lock)
{
	const struct dt_state_want *most = NULL, *want = first_want(state, acq, lock);

	for (; want; want = next_want(state, want))
		if ((!most || want->units > most->units) && !(state->in_time && is_past(state, member, want)))
			most = want;
	return most;
}

uint32_t dt_state_most(const struct dt_check_state *state, const struct dt_state_member *member, uint32_t acq,
                       uint32_t lock)
{
	const struct dt_state_want *want = dt_state_want(state, member, acq, lock);

	return want && want->units > 1 ? want->units : 1;
}

/* The same whenever it was. */
static uint32_t most_ever(const struct dt_check_state *state, uint32_t acq, uint32_t lock)
{
	uint32_t most = 1;

	for (const struct dt_state_want *want = first_want(state, acq, lock); want; want = next_want(state, want))
		most = want->units > most ? want->units : most;
	return most;
}

/* The place of a want among those of its acquisition and lock: its own from before, a new one, or, where there are
 * many, that of the least. NULL, *full: all are greater. */
static struct dt_state_want *place_of(struct dt_check_state *state, uint32_t acq, uint32_t lock,
                                      const struct dt_state_want *want, bool *full)
{
	struct dt_state_want *least = NULL, *at = first_want(state, acq, lock), *last = NULL;
	uint32_t count = 0;

	*full = false;
	for (; at; at = next_want(state, at), count++) {
		if (at->seen == want->seen) {
			*full = at->units >= want->units;
			return *full ? NULL : at;
		}
		least = !least || at->units < least->units ? at : least;
		last = at;
	}
	if (count == WANTS_KEPT) {
		*full = least->units > want->units;
		return *full ? NULL : least;
	}
	uint32_t before = last ? (uint32_t)(last - state->wants.at) : 0;
	struct dt_state_want *added = dt_vec_push(&state->wants, state->alloc);
	if (!added)
		return NULL;
	*added = (struct dt_state_want){0};
	if (last)
		state->wants.at[before].next = state->wants.count;
	else if (!dt_pairmap_add(&state->want_of, state->alloc, dt_pair(acq, lock), state->wants.count - 1))
		return NULL;
	return added;
}

static enum dt_err note(struct dt_check_state *state, uint32_t acq, uint32_t lock,
                        const struct dt_state_want *want)
{
	bool full;
	struct dt_state_want *at = place_of(state, acq, lock, want, &full);

	if (!at)
		return full ? DT_OK : DT_ERR_NOMEM;
	uint32_t next = at->next;
	*at = *want;
	at->next = next;
	return DT_OK;
}

/* Further out, those of the same lock on the way are wanted too. */
static enum dt_err note_outwards(struct dt_check_state *state, const struct dt_acq *wanted)
{
	const struct dt_lock *lock = dt_facts_lock(state->facts, wanted->lock);
	bool all = lock && lock->kind == DT_LOCK_RWLOCK && wanted->mode == DT_MODE_EXCLUSIVE;
	struct dt_state_want want = {.units = all ? DT_STATE_ALL : most_ever(state, wanted->id, wanted->lock),
	                             .by = wanted->id,
	                             .seen = wanted->id};
	const struct dt_acq *at = wanted;
	enum dt_err err = DT_OK;

	for (uint32_t depth = 0; !err && at->depth > 1; depth++) {
		if (depth == DEPTH_MAX) {
			state->cut = true;
			break;
		}
		at = dt_facts_acq(state->facts, at->parent);
		err = note(state, at->id, wanted->lock, &want);
		uint32_t more = at->lock == wanted->lock ? most_ever(state, at->id, at->lock) : 0;
		want.units = more > DT_STATE_ALL - want.units ? DT_STATE_ALL : want.units + more;
	}
	return err;
}

static enum dt_err list_held(struct dt_check_state *state, const struct dt_state *reached)
{
	for (uint32_t i = 0; i < reached->count; i++) {
		const struct dt_acq *acq = dt_facts_acq(state->facts, reached->parts[i].acq);
		for (; acq; acq = acq->depth > 1 ? dt_facts_acq(state->facts, acq->parent) : NULL)
			if (!dt_idmap_find(&state->held_locks, acq->lock) &&
			    !dt_idmap_add(&state->held_locks, state->alloc, acq->lock, 1))
				return DT_ERR_NOMEM;
	}
	return DT_OK;
}

/* Also for the acquisitions between: they were held then too. */
static enum dt_err take_units(struct dt_check_state *state)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < dt_facts_units_count(state->facts); i++) {
		const struct dt_units *units = dt_facts_units_nth(state->facts, i);
		const struct dt_acq *of = units->give_up ? NULL : dt_facts_units_of(state->facts, units);
		const struct dt_acq *at = of ? dt_facts_acq(state->facts, units->acq) : NULL;
		const struct dt_state_want want = {.units = units->units, .by = of ? of->id : 0, .seen = units->acq};
		for (; !err && at; at = at == of ? NULL : dt_facts_acq(state->facts, at->parent))
			err = note(state, at->id, of->lock, &want);
	}
	return err;
}

static bool has(const struct dt_facts *facts, uint32_t acq, uint32_t lock)
{
	const struct dt_acq *at = dt_facts_acq(facts, acq);

	while (at && at->lock != lock)
		at = at->depth > 1 ? dt_facts_acq(facts, at->parent) : NULL;
	return at;
}

static enum dt_err note_claims(struct dt_check_state *state)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < dt_facts_claim_count(state->facts); i++) {
		const struct dt_claim *claim = dt_facts_claim_nth(state->facts, i);
		struct dt_state_want want = {.units = claim->all ? DT_STATE_ALL : claim->units};
		if (!want.units || !dt_idmap_find(&state->held_locks, claim->lock))
			continue;
		if (has(state->facts, claim->acq, claim->lock) && want.units < DT_STATE_ALL)
			want.units++;
		err = note(state, claim->acq, claim->lock, &want);
	}
	return err;
}

enum dt_err dt_state_wants_open(struct dt_check_state *state)
{
	struct dt_facts *facts = state->facts;
	enum dt_err err = take_units(state);

	for (uint32_t i = 0; !err && i < dt_facts_state_count(facts); i++)
		err = list_held(state, dt_facts_state_nth(facts, i));
	for (uint32_t i = 0; !err && i < dt_facts_acq_count(facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(facts, i);
		if (acq->op == DT_OP_ACQUIRE && acq->wait == DT_WAIT_FOREVER && acq->depth && !acq->handler &&
		    dt_idmap_find(&state->held_locks, acq->lock))
			err = note_outwards(state, acq);
	}
	return err ? err : note_claims(state);
}
