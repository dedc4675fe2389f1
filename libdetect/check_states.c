/* check_states.c: states that were reached, and from which not all threads are sure to end.
 *
 * The banker's algorithm (Dijkstra, "Cooperating sequential processes", 1965), in Habermann's form (CACM
 * 12(7), 1969), with two refinements. Claims are learned, with hindsight: what the whole run has seen a
 * thread want while it held an acquisition (the acquisition's subtree) is what any thread there may want. And
 * a thread gives back what it has step by step: what is wanted only after a release is not asked for before
 * it, so phases and hand over hand are safe. What is released out of order counts as released early, which
 * can only hide a state.
 *
 * What earlier runs have seen there counts as well; what a thread has declared counts instead.
 *
 * Only waits without a limit count as wants: a call that tries or gives up does not stay stuck. And not what was wanted
 * only before another thread of the state took what it holds, by the order of create, join and barrier: a thread that
 * sets things up before it makes the others does not do so beside them. */
#include <string.h>

#include "sort.h"
#include "states.h"

/* How much more of each resource. */
struct needs {
	uint32_t at[DT_STATE_RESOURCES];
};

static enum dt_err open_check(struct dt_check_state **out, struct dt_facts *facts, struct dt_alloc *alloc,
                              const struct dt_check_options *options, dt_finding_sink *sink, void *context)
{
	struct dt_check_state *state = alloc->resize(alloc, NULL, 0, sizeof *state);

	(void)options;
	if (!state)
		return DT_ERR_NOMEM;
	memset(state, 0, sizeof *state);
	state->facts = facts;
	state->alloc = alloc;
	state->sink = sink;
	state->context = context;
	*out = state;
	return DT_OK;
}

static void close_check(struct dt_check_state *state)
{
	struct dt_alloc *alloc = state->alloc;

	dt_idmap_fini(&state->held_locks, alloc);
	dt_pairmap_fini(&state->want_of, alloc);
	dt_vec_fini(&state->wants, alloc);
	dt_pairmap_fini(&state->said, alloc);
	dt_vec_fini(&state->bests, alloc);
	dt_vec_fini(&state->events, alloc);
	dt_vec_fini(&state->holding, alloc);
	alloc->resize(alloc, state, sizeof *state, 0);
}

/* Units that there are of a lock; 0: it is no resource. An rwlock is one to each of as many readers as there
 * are threads in the state, and all of them to a writer. */
static uint32_t units_there_are(const struct dt_check_state *state, const struct dt_lock *lock)
{
	if (!lock || lock->flags & DT_LOCK_CLASS)
		return 0;
	switch (lock->kind) {
	case DT_LOCK_MUTEX:
	case DT_LOCK_SPIN:
		return 1;
	case DT_LOCK_RWLOCK:
		return state->member_count;
	case DT_LOCK_SEM:
		return lock->signal ? 0 : lock->units;
	default:
		return 0;
	}
}

uint32_t dt_state_resource(const struct dt_check_state *state, uint32_t lock)
{
	uint32_t r = 0;

	while (r < state->resource_count && state->resources[r] != lock)
		r++;
	return r < state->resource_count ? r : DT_STATE_RESOURCES;
}

/* The same, added when it is one. */
static uint32_t add_resource(struct dt_check_state *state, uint32_t lock)
{
	uint32_t r = dt_state_resource(state, lock);
	uint32_t total =
	    r == DT_STATE_RESOURCES ? units_there_are(state, dt_facts_lock(state->facts, lock)) : 0;

	state->cut |= total && state->resource_count == DT_STATE_RESOURCES;
	if (!total || state->resource_count == DT_STATE_RESOURCES)
		return r;
	state->resources[state->resource_count] = lock;
	state->total[state->resource_count] = total;
	state->available[state->resource_count] = total;
	return state->resource_count++;
}

static uint32_t units_of(const struct dt_check_state *state, const struct dt_acq *acq, uint32_t units)
{
	const struct dt_lock *lock = dt_facts_lock(state->facts, acq->lock);

	return lock && lock->kind == DT_LOCK_RWLOCK && acq->mode == DT_MODE_EXCLUSIVE ? state->member_count
	                                                                              : units;
}

/* How many units a thread of the state had by an acquisition. */
uint32_t dt_state_units(const struct dt_check_state *state, uint32_t thread, uint32_t acq)
{
	for (uint32_t i = 0; i < state->reached->count; i++)
		if (state->reached->parts[i].thread == thread && state->reached->parts[i].acq == acq)
			return state->reached->parts[i].units;
	return 1;
}

/* What a thread has of each resource by an acquisition and those before it, and how much more those came to while it
 * held that one. */
static void find_had(const struct dt_check_state *state, const struct dt_state_member *member, uint32_t id,
                     struct needs *has, struct needs *more)
{
	*has = *more = (struct needs){{0}};
	for (const struct dt_acq *acq = dt_facts_acq(state->facts, id); acq;
	     acq = acq->depth > 1 ? dt_facts_acq(state->facts, acq->parent) : NULL) {
		uint32_t r = dt_state_resource(state, acq->lock), most = dt_state_most(state, member, id, acq->lock);
		uint32_t had = r < DT_STATE_RESOURCES ? dt_state_units(state, member->thread, acq->id) : 0;
		if (r == DT_STATE_RESOURCES)
			continue;
		has->at[r] += units_of(state, acq, had);
		more->at[r] += most > had ? most - had : 0;
	}
}

static void claim_as_declared(const struct dt_check_state *state, uint32_t thread, const struct needs *has,
                              struct needs *needs)
{
	for (uint32_t i = 0; i < state->reached->count; i++) {
		const struct dt_state_part *part = &state->reached->parts[i];
		uint32_t r = part->thread == thread && part->lock ? dt_state_resource(state, part->lock)
		                                                  : DT_STATE_RESOURCES;
		if (r < DT_STATE_RESOURCES)
			needs->at[r] = part->units > has->at[r] ? part->units - has->at[r] : 0;
	}
}

/* What a member has by the acquisition, and may want while it holds it: more of that, and what was seen to
 * follow. */
static void find_needs(const struct dt_check_state *state, const struct dt_state_member *member, uint32_t id,
                       struct needs *has, struct needs *needs)
{
	find_had(state, member, id, has, needs);
	for (uint32_t r = 0; r < state->resource_count; r++) {
		const struct dt_state_want *want =
		    has->at[r] ? NULL : dt_state_want(state, member, id, state->resources[r]);
		uint32_t units = want ? want->units : 0;
		needs->at[r] = units > DT_STATE_ALL - needs->at[r] ? DT_STATE_ALL : needs->at[r] + units;
	}
	claim_as_declared(state, member->thread, has, needs);
	/* Nobody claims more than there is: more was never held at once, whoever gave it back. */
	for (uint32_t r = 0; r < state->resource_count; r++) {
		uint32_t room = has->at[r] < state->total[r] ? state->total[r] - has->at[r] : 0;
		needs->at[r] = needs->at[r] < room ? needs->at[r] : room;
	}
}

static bool covered(const struct dt_check_state *state, const struct needs *needs)
{
	for (uint32_t r = 0; r < state->resource_count; r++)
		if ((int64_t)needs->at[r] > 0 && (int64_t)needs->at[r] > state->available[r])
			return false;
	return true;
}

/* Members give back what they hold, the last first, as far as what they may want before is there. */
static void run_down(struct dt_check_state *state)
{
	for (bool moved = true; moved;) {
		moved = false;
		for (uint32_t m = 0; m < state->member_count; m++) {
			struct dt_state_member *member = &state->members[m];
			struct needs has, needs;
			while (member->acq) {
				const struct dt_acq *acq = dt_facts_acq(state->facts, member->acq);
				find_needs(state, member, member->acq, &has, &needs);
				if (!covered(state, &needs))
					break;
				uint32_t r = dt_state_resource(state, acq->lock);
				if (r < DT_STATE_RESOURCES)
					state->available[r] += units_of(
					    state, acq, dt_state_units(state, member->thread, member->acq));
				member->acq = acq->depth > 1 ? acq->parent : 0;
				moved = true;
			}
		}
	}
}

/* One member a thread: its deepest acquisition. False: too many, or what is not there. */
static bool list_members(struct dt_check_state *state, const struct dt_state *reached)
{
	state->member_count = 0;
	for (uint32_t i = 0; i < reached->count; i++) {
		const struct dt_state_part *part = &reached->parts[i];
		if (part->lock)
			continue;
		const struct dt_acq *acq = dt_facts_acq(state->facts, part->acq);
		struct dt_state_member *last =
		    state->member_count ? &state->members[state->member_count - 1] : NULL;
		if (!acq || !acq->depth || !part->units)
			return false;
		if (last && last->thread == part->thread) {
			last->acq = last->first_acq = part->acq;
			continue;
		}
		if (state->member_count == DT_STATE_THREADS) {
			state->cut = true;
			return false;
		}
		state->members[state->member_count++] =
		    (struct dt_state_member){part->thread, part->acq, part->acq};
	}
	return state->member_count >= 2;
}

/* The most that a member may come to have: now, or when it has given back what it took last, and so on. */
static void find_claim(struct dt_check_state *state, uint32_t m)
{
	const struct dt_state_member *member = &state->members[m];

	for (const struct dt_acq *acq = dt_facts_acq(state->facts, member->acq); acq;
	     acq = acq->depth > 1 ? dt_facts_acq(state->facts, acq->parent) : NULL) {
		struct needs has, needs;
		find_needs(state, member, acq->id, &has, &needs);
		for (uint32_t r = 0; r < state->resource_count; r++) {
			uint32_t most = has.at[r] + needs.at[r];
			state->claim[m][r] = most > state->claim[m][r] ? most : state->claim[m][r];
		}
	}
}

/* What each has and what it may come to have. False: nothing can be said of it. */
static bool take_stock(struct dt_check_state *state, const struct dt_state *reached)
{
	state->reached = reached;
	state->resource_count = 0;
	if (!list_members(state, reached))
		return false;
	memset(state->allocation, 0, sizeof state->allocation);
	memset(state->claim, 0, sizeof state->claim);
	for (uint32_t m = 0; m < state->member_count; m++) {
		const struct dt_state_member *member = &state->members[m];
		for (const struct dt_acq *acq = dt_facts_acq(state->facts, member->acq); acq;
		     acq = acq->depth > 1 ? dt_facts_acq(state->facts, acq->parent) : NULL) {
			uint32_t units = units_of(state, acq, dt_state_units(state, member->thread, acq->id));
			uint32_t r = add_resource(state, acq->lock);
			if (r == DT_STATE_RESOURCES)
				continue;
			state->allocation[m][r] += units;
			state->available[r] -= units;
		}
	}
	for (uint32_t m = 0; m < state->member_count; m++)
		find_claim(state, m);
	for (uint32_t r = 0; r < state->resource_count; r++)
		if (state->available[r] < 0)
			return false;
	return true;
}

/* What the stuck threads lack: states of the same resources are one situation. */
static uint64_t situation(const struct dt_check_state *state)
{
	uint32_t lacking[DT_STATE_RESOURCES], count = 0;
	uint64_t hash = 1;

	for (uint32_t r = 0; r < state->resource_count; r++)
		for (uint32_t m = 0; m < state->member_count; m++)
			if (state->members[m].acq && state->claim[m][r] > state->allocation[m][r]) {
				lacking[count++] = state->resources[r];
				break;
			}
	dt_sort_u32(lacking, count);
	for (uint32_t i = 0; i < count; i++)
		hash = dt_hash64(hash + lacking[i]);
	return hash | 1;
}

/* Even if all give back at their end only. */
static bool is_safe_anyway(struct dt_check_state *state)
{
	const struct dt_banker banker = dt_state_flatten(state);

	return dt_banker_stuck(&banker, state->stuck, state->work) == 0;
}

static uint32_t count_stuck(struct dt_check_state *state, const struct dt_state *reached, bool in_time)
{
	uint32_t stuck = 0;

	state->in_time = in_time;
	if (!take_stock(state, reached) || is_safe_anyway(state))
		return 0;
	run_down(state);
	for (uint32_t m = 0; m < state->member_count; m++)
		stuck += state->members[m].acq != 0;
	return stuck;
}

/* How many of a state's threads are stuck. When things were wanted is looked at only where it matters: most states are
 * safe anyway. */
static uint32_t judge(struct dt_check_state *state, const struct dt_state *reached)
{
	return count_stuck(state, reached, false) ? count_stuck(state, reached, true) : 0;
}

/* The state of each situation with the most that are stuck. */
static enum dt_err choose(struct dt_check_state *state, uint32_t index, uint32_t stuck)
{
	uint64_t hash = situation(state);
	uint32_t *known = dt_pairmap_find(&state->said, hash);

	if (known) {
		struct dt_state_best *best = &state->bests.at[*known];
		if (stuck > best->stuck)
			*best = (struct dt_state_best){index, stuck};
		return DT_OK;
	}
	struct dt_state_best *best = dt_vec_push(&state->bests, state->alloc);
	if (!best || !dt_pairmap_add(&state->said, state->alloc, hash, state->bests.count - 1))
		return DT_ERR_NOMEM;
	*best = (struct dt_state_best){index, stuck};
	return DT_OK;
}

static enum dt_err finish(struct dt_check_state *state)
{
	uint32_t count = dt_facts_state_count(state->facts);
	enum dt_err err = count ? dt_state_wants_open(state) : DT_OK;

	for (uint32_t i = 0; !err && i < count; i++) {
		uint32_t stuck = judge(state, dt_facts_state_nth(state->facts, i));
		if (stuck)
			err = choose(state, i, stuck);
	}
	for (uint32_t i = 0; !err && i < state->bests.count; i++)
		if (judge(state, dt_facts_state_nth(state->facts, state->bests.at[i].index)))
			err = dt_state_tell(state);
	return err;
}

static uint32_t bounded(const struct dt_check_state *state)
{
	return state->cut ? DT_BOUND_STATES : 0;
}

const struct dt_check dt_check_states = {
    .name = "states",
    .open = open_check,
    .finish = finish,
    .close = close_check,
    .bounded = bounded,
};
