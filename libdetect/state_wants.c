/* state_wants.c: what may come to be wanted while an acquisition is held. Each acquisition of the tree that
 * waits for ever was wanted under all that it is nested in, so it is noted there; of locks that are held in
 * no state there is always enough, and those are left out. */
#include <string.h>

#include "states.h"

enum { DEPTH_MAX = 256 };

uint32_t dt_state_most(const struct dt_check_state *state, uint32_t acq, uint32_t lock)
{
	const uint32_t *units = dt_pairmap_find(&state->most_of, dt_pair(acq, lock));

	return units ? *units : 1;
}

const struct dt_state_want *dt_state_want(const struct dt_check_state *state, uint32_t acq, uint32_t lock)
{
	const uint32_t *at = dt_pairmap_find(&state->want_of, dt_pair(acq, lock));

	return at ? &state->wants.at[*at] : NULL;
}

static enum dt_err note(struct dt_check_state *state, uint32_t acq, uint32_t lock,
                        const struct dt_state_want *want)
{
	const uint32_t *at = dt_pairmap_find(&state->want_of, dt_pair(acq, lock));

	if (at && state->wants.at[*at].units >= want->units)
		return DT_OK;
	struct dt_state_want *noted = at ? &state->wants.at[*at] : dt_vec_push(&state->wants, state->alloc);
	if (!noted)
		return DT_ERR_NOMEM;
	*noted = *want;
	if (!at && !dt_pairmap_add(&state->want_of, state->alloc, dt_pair(acq, lock), state->wants.count - 1))
		return DT_ERR_NOMEM;
	return DT_OK;
}

/* Further out, those of the same lock on the way are wanted too. */
static enum dt_err note_outwards(struct dt_check_state *state, const struct dt_acq *wanted)
{
	const struct dt_lock *lock = dt_facts_lock(state->facts, wanted->lock);
	bool all = lock && lock->kind == DT_LOCK_RWLOCK && wanted->mode == DT_MODE_EXCLUSIVE;
	struct dt_state_want want = {all ? DT_STATE_ALL : dt_state_most(state, wanted->id, wanted->lock), wanted->id};
	const struct dt_acq *at = wanted;
	enum dt_err err = DT_OK;

	for (uint32_t depth = 0; !err && at->depth > 1; depth++) {
		if (depth == DEPTH_MAX) {
			state->cut = true;
			break;
		}
		at = dt_facts_acq(state->facts, at->parent);
		err = note(state, at->id, wanted->lock, &want);
		uint32_t more = at->lock == wanted->lock ? dt_state_most(state, at->id, at->lock) : 0;
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

static enum dt_err raise(struct dt_check_state *state, uint32_t acq, uint32_t lock, uint32_t units)
{
	uint32_t *known = dt_pairmap_find(&state->most_of, dt_pair(acq, lock));

	if (known)
		*known = *known > units ? *known : units;
	else if (units > 1 && !dt_pairmap_add(&state->most_of, state->alloc, dt_pair(acq, lock), units))
		return DT_ERR_NOMEM;
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
		for (; !err && at; at = at == of ? NULL : dt_facts_acq(state->facts, at->parent))
			err = raise(state, at->id, of->lock, units->units);
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
		const struct dt_state_want want = {claim->all ? DT_STATE_ALL : claim->units, 0};
		if (!want.units || !dt_idmap_find(&state->held_locks, claim->lock))
			continue;
		if (has(state->facts, claim->acq, claim->lock))
			err = raise(state, claim->acq, claim->lock,
			            want.units == DT_STATE_ALL ? want.units : want.units + 1);
		else
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
