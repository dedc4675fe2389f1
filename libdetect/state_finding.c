/* state_finding.c: an unsafe state as a finding: who of the stuck threads holds what since where, and by
 * which acquisition it may ask for what is not there. */
#include "states.h"

static enum dt_err add_event(struct dt_check_state *state, enum dt_event_kind kind, uint32_t thread,
                             const struct dt_acq *acq, uint32_t holding)
{
	struct dt_event *event = dt_vec_push(&state->events, state->alloc);

	if (!event)
		return DT_ERR_NOMEM;
	*event = (struct dt_event){.kind = kind,
	                           .thread = thread,
	                           .lock = acq->lock,
	                           .stack = acq->stack,
	                           .op = DT_OP_ACQUIRE,
	                           .mode = acq->mode,
	                           .wait = acq->wait,
	                           .holding_count = holding};
	return DT_OK;
}

static enum dt_err add_held(struct dt_check_state *state, uint32_t thread, const struct dt_acq *acq,
                            uint32_t *count)
{
	enum dt_err err = DT_OK;

	if (acq->depth > 1)
		err = add_held(state, thread, dt_facts_acq(state->facts, acq->parent), count);
	uint32_t *held = err ? NULL : dt_vec_push(&state->holding, state->alloc);
	if (!held)
		return DT_ERR_NOMEM;
	*held = acq->lock;
	++*count;
	return add_event(state, DT_EVENT_HOLD, thread, acq, 0);
}

/* The acquisition by which a stuck member may want what is not there: its own again, or one that follows.
 * NULL: no place is known, since it is only claimed. */
static const struct dt_acq *wanted_by(struct dt_check_state *state, const struct dt_state_member *member)
{
	const struct dt_acq *acq = dt_facts_acq(state->facts, member->acq);

	for (const struct dt_acq *own = acq; own; own = own->depth > 1 ? dt_facts_acq(state->facts, own->parent) : NULL) {
		uint32_t had = dt_state_units(state, member->thread, own->id),
		         most = dt_state_most(state, member, acq->id, own->lock), r = dt_state_resource(state, own->lock);
		if (r < DT_STATE_RESOURCES && most > had && (int64_t)most - had > state->available[r])
			return own;
	}
	for (uint32_t r = 0; r < state->resource_count; r++) {
		const struct dt_state_want *want = dt_state_want(state, member, acq->id, state->resources[r]);
		if (want && want->by && (int64_t)want->units > state->available[r])
			return dt_facts_acq(state->facts, want->by);
	}
	return NULL;
}

static enum dt_err add_member(struct dt_check_state *state, const struct dt_state_member *member)
{
	const struct dt_acq *wanted = wanted_by(state, member);
	uint32_t count = 0;
	enum dt_err err =
	    add_held(state, member->thread, dt_facts_acq(state->facts, member->first_acq), &count);

	return err || !wanted ? err : add_event(state, DT_EVENT_ACQUIRE, member->thread, wanted, count);
}

struct dt_banker dt_state_flatten(struct dt_check_state *state)
{
	uint32_t n = state->resource_count;

	for (uint32_t r = 0; r < n; r++) {
		int64_t free = state->total[r];
		for (uint32_t m = 0; m < state->member_count; m++)
			free -= state->allocation[m][r];
		state->flat_available[r] = (uint32_t)free;
	}
	for (uint32_t m = 0; m < state->member_count; m++) {
		state->threads[m] = state->members[m].thread;
		for (uint32_t r = 0; r < n; r++) {
			state->flat_allocation[m * n + r] = state->allocation[m][r];
			state->flat_claim[m * n + r] = state->claim[m][r];
		}
	}
	return (struct dt_banker){state->member_count, n, state->flat_available, state->flat_allocation,
	                          state->flat_claim};
}

/* How often a section was seen to begin as this one did: an estimate from samples. */
static uint32_t sections_seen(const struct dt_check_state *state, uint32_t id)
{
	const struct dt_acq *root = dt_facts_acq(state->facts, id);
	uint64_t seen = 0;

	while (root->depth > 1)
		root = dt_facts_acq(state->facts, root->parent);
	for (uint32_t i = 0; i < dt_facts_stat_count(state->facts); i++) {
		const struct dt_stat *stat = dt_facts_stat_nth(state->facts, i);
		seen += stat->lock == root->lock && stat->stack == root->stack ? stat->acquisitions : 0;
	}
	return seen > UINT32_MAX ? UINT32_MAX : seen ? (uint32_t)seen : 1;
}

/* True: a stuck member may want more of it than there is when all others have ended. */
static bool is_disputed(const struct dt_check_state *state, uint32_t r)
{
	uint32_t free = state->total[r];

	for (uint32_t m = 0; m < state->member_count; m++)
		free -= state->members[m].acq ? state->allocation[m][r] : 0;
	for (uint32_t m = 0; m < state->member_count; m++)
		if (state->members[m].acq && state->claim[m][r] - state->allocation[m][r] > free)
			return true;
	return false;
}

/* Only what is disputed is told. */
static void drop_undisputed(struct dt_check_state *state)
{
	uint32_t kept = 0;

	for (uint32_t r = 0; r < state->resource_count; r++) {
		if (!is_disputed(state, r))
			continue;
		state->resources[kept] = state->resources[r];
		state->total[kept] = state->total[r];
		for (uint32_t m = 0; m < state->member_count; m++) {
			state->allocation[m][kept] = state->allocation[m][r];
			state->claim[m][kept] = state->claim[m][r];
		}
		kept++;
	}
	state->resource_count = kept;
}

enum dt_err dt_state_tell(struct dt_check_state *state)
{
	uint32_t stuck = 0, held = 0;
	enum dt_err err = DT_OK;

	state->events.count = state->holding.count = 0;
	for (uint32_t m = 0; !err && m < state->member_count; m++) {
		if (!state->members[m].acq)
			continue;
		state->stuck[stuck++] = state->members[m].thread;
		err = add_member(state, &state->members[m]);
	}
	if (err)
		return err;
	for (uint32_t i = 0; i < state->events.count; i++) {
		struct dt_event *event = &state->events.at[i];
		event->holding = event->holding_count ? state->holding.at + held : NULL;
		held += event->holding_count;
	}
	drop_undisputed(state);
	dt_state_flatten(state);
	for (uint32_t m = 0; m < state->member_count; m++)
		state->sections[m] = sections_seen(state, state->members[m].first_acq);
	state->sink(state->context, &(struct dt_finding){
	                                .rule = DT_RULE_UNSAFE_STATE,
	                                .level = DT_LEVEL_WARNING,
	                                .tier = DT_TIER_POSSIBLE,
	                                .count = 1,
	                                .locks = state->resources,
	                                .lock_count = state->resource_count,
	                                .events = state->events.at,
	                                .event_count = state->events.count,
	                                .matrices = {.resource_count = state->resource_count,
	                                             .thread_count = state->member_count,
	                                             .stuck_count = stuck,
	                                             .resources = state->resources,
	                                             .available = state->flat_available,
	                                             .threads = state->threads,
	                                             .allocation = state->flat_allocation,
	                                             .claim = state->flat_claim,
	                                             .stuck = state->stuck,
	                                             .sections = state->sections},
	                            });
	return DT_OK;
}
