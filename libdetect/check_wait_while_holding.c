/* check_wait_while_holding.c: a wait for another thread (condition variable, join, barrier) with a lock
 * held that the other was seen to need. A cycle through something that is no lock: one way by the
 * wait, the other way by the lock.
 *
 * For each such wait and each lock held during it, waits.c judges every thread that could end the wait,
 * and the one that comes nearest to a deadlock is shown. What keeps an acquisition from mattering,
 * the first that applies:
 *   READERS    both hold the lock shared
 *   TRY        the other only tries
 *   GATE_LOCK  the other comes to the lock only under a lock that the waiter holds too: that one is
 *              the bug, and is reported for itself
 *   ORDERED    create, join, barrier or once keep it apart from the wait, one way or the other
 *   WORD_GIVEN the other signals before it was seen to take the lock; or, joined, it signals under that
 *              lock: the waiter may have been told by it that the lock is needed no more
 *   OTHER_WAKER  another thread signals and does not need the lock
 *   UNITS_LEFT the lock is a counted semaphore, and the threads that wait with units of it leave one
 * and what demotes: APART (the other takes the lock and signals in parts of the program that have little to
 * do with each other, so that the one need not come before the other), then POSTED_UNDER (all units of a
 * semaphore were posted under the lock: while the waiter has it nobody posts, so either it knows that there is
 * a unit, by what the lock guards, or it waits for ever whenever there is none), then CLASS_ONLY, then TIMED
 * (the wait or the acquisition). READER_POLICY is said of a finding about readers of a lock that prefers
 * writers. The tier is POSSIBLE: that the other needs the lock before it ends the wait was not shown.
 *
 * Waits at one place with the lock taken at one place are one bug, whoever ends them; it counts the
 * pairs of lock and object waited for. */
#include <detect/check.h>

#include "checks.h"
#include "draft.h"
#include "pairmap.h"
#include "waits.h"

enum { DEFAULT_SEARCH_STEPS = 4000000 };

static const enum dt_reason reason_of[] = {
    [DT_WAIT_READERS] = DT_REASON_READERS,
    [DT_WAIT_TRIES] = DT_REASON_TRY,
    [DT_WAIT_GATE] = DT_REASON_GATE_LOCK,
    [DT_WAIT_ORDERED] = DT_REASON_ORDERED,
    [DT_WAIT_WORD_GIVEN] = DT_REASON_WORD_GIVEN,
    [DT_WAIT_OTHER_WAKER] = DT_REASON_OTHER_WAKER,
    [DT_WAIT_UNITS_LEFT] = DT_REASON_UNITS_LEFT,
    [DT_WAIT_APART] = DT_REASON_APART,
    [DT_WAIT_POSTED_UNDER] = DT_REASON_POSTED_UNDER,
    [DT_WAIT_GIVES_UP] = DT_REASON_TIMED,
    [DT_WAIT_CLASS] = DT_REASON_CLASS_ONLY,
    [DT_WAIT_POLICY] = DT_REASON_READER_POLICY,
    [DT_WAIT_ALL] = DT_REASON_NONE,
};

struct bug {
	struct dt_wait_case best;
	uint32_t op, wait_stack, hold_stack, hold_mode;
	uint32_t lock, object; /* part of the identity where a stack is not known, else 0 */
	uint32_t count;
	bool said;
};

struct dt_check_state {
	struct dt_facts *facts;
	struct dt_alloc *alloc;
	bool want_filtered, is_finishing, bounded;
	dt_finding_sink *sink;
	void *context;
	struct dt_tree tree;
	struct dt_waits waits;
	struct dt_draft draft;
	DT_VEC(struct bug) bugs;
	struct dt_pairmap bug_of;  /* by hash of the identity */
	struct dt_pairmap counted; /* by hash of bug, rank and objects */
};

static enum dt_err open_check(struct dt_check_state **out, struct dt_facts *facts, struct dt_alloc *alloc,
                              const struct dt_check_options *options, dt_finding_sink *sink, void *context)
{
	struct dt_check_state *state = alloc->resize(alloc, NULL, 0, sizeof *state);

	if (!state)
		return DT_ERR_NOMEM;
	memset(state, 0, sizeof *state);
	state->facts = facts;
	state->alloc = alloc;
	state->want_filtered = options->want_filtered;
	state->sink = sink;
	state->context = context;
	dt_tree_init(&state->tree, facts, alloc, options->rwlock_prefer_writer);
	dt_waits_init(&state->waits, facts, &state->tree,
	              options->max_search_steps ? options->max_search_steps : DEFAULT_SEARCH_STEPS);
	dt_draft_init(&state->draft, &state->tree);
	*out = state;
	return DT_OK;
}

static void close_check(struct dt_check_state *state)
{
	dt_waits_fini(&state->waits);
	dt_draft_fini(&state->draft);
	dt_vec_fini(&state->bugs, state->alloc);
	dt_pairmap_fini(&state->bug_of, state->alloc);
	dt_pairmap_fini(&state->counted, state->alloc);
	dt_tree_fini(&state->tree);
	state->alloc->resize(state->alloc, state, sizeof *state, 0);
}

static int rank(enum dt_wait_worth worth)
{
	return worth >= DT_WAIT_POLICY ? 2 : worth >= DT_WAIT_APART;
}

static uint32_t waited_for(const struct dt_check_state *state, const struct dt_wait_case *found)
{
	return dt_facts_acq(state->facts, state->tree.nodes.at[found->wait_node].acq)->lock;
}

static uint32_t lock_held(const struct dt_check_state *state, const struct dt_wait_case *found)
{
	return state->tree.vertices.at[state->tree.nodes.at[found->hold_node].vertex].lock;
}

static bool same_bug(const struct bug *a, const struct bug *b)
{
	return a->op == b->op && a->wait_stack == b->wait_stack && a->hold_stack == b->hold_stack &&
	       a->hold_mode == b->hold_mode && a->lock == b->lock && a->object == b->object;
}

static struct bug identity(const struct dt_check_state *state, const struct dt_wait_case *found)
{
	const struct dt_node *wait = &state->tree.nodes.at[found->wait_node];
	const struct dt_node *hold = &state->tree.nodes.at[found->hold_node];
	bool known = wait->stack && hold->stack;

	return (struct bug){
	    .best = *found,
	    .op = wait->op,
	    .wait_stack = wait->stack,
	    .hold_stack = hold->stack,
	    .hold_mode = hold->mode,
	    .lock = known ? 0 : lock_held(state, found),
	    .object = known ? 0 : waited_for(state, found),
	};
}

static enum dt_err find_or_add(struct dt_check_state *state, const struct bug *wanted, uint32_t *index)
{
	uint64_t hash = dt_hash64(dt_pair(wanted->wait_stack, wanted->hold_stack));
	hash = dt_hash64(hash + dt_pair(wanted->lock, wanted->object));
	hash = dt_hash64(hash + wanted->op * 2 + wanted->hold_mode) | 1;

	const uint32_t *found;
	for (; (found = dt_pairmap_find(&state->bug_of, hash)); hash += 2) {
		*index = *found;
		if (same_bug(&state->bugs.at[*index], wanted))
			return DT_OK;
	}
	struct bug *bug = dt_vec_push(&state->bugs, state->alloc);
	if (!bug)
		return DT_ERR_NOMEM;
	*bug = *wanted;
	*index = state->bugs.count - 1;
	if (dt_pairmap_add(&state->bug_of, state->alloc, hash, *index))
		return DT_OK;
	state->bugs.count--;
	return DT_ERR_NOMEM;
}

/* Count the objects, each pair once in each rank of a bug. */
static enum dt_err count_objects(struct dt_check_state *state, uint32_t index,
                                 const struct dt_wait_case *found)
{
	uint64_t hash = dt_hash64(dt_pair(lock_held(state, found), waited_for(state, found)));
	hash = dt_hash64(hash + dt_pair(index, (uint32_t)rank(found->worth) + 1)) | 1;

	if (dt_pairmap_find(&state->counted, hash))
		return DT_OK;
	state->bugs.at[index].count++;
	return dt_pairmap_add(&state->counted, state->alloc, hash, 0) ? DT_OK : DT_ERR_NOMEM;
}

static enum dt_err say(struct dt_check_state *state, struct bug *bug)
{
	const struct dt_wait_case *found = &bug->best;
	bool warning = rank(found->worth) == 2, filtered = rank(found->worth) == 0;
	struct dt_finding finding = {
	    .rule = DT_RULE_WAIT_WHILE_HOLDING,
	    .level = warning || filtered ? DT_LEVEL_WARNING : DT_LEVEL_NOTE,
	    .tier = warning ? DT_TIER_POSSIBLE : DT_TIER_NOTE,
	    .reason = reason_of[found->worth],
	    .filtered = filtered,
	    .reason_lock = found->reason_lock,
	    .count = bug->count,
	};

	dt_draft_begin(&state->draft);
	dt_draft_add_lock(&state->draft, lock_held(state, found));
	if (bug->op != DT_OP_JOIN)
		dt_draft_add_lock(&state->draft, waited_for(state, found));
	dt_draft_add_event(&state->draft, DT_EVENT_HOLD, found->waiter, found->hold_node);
	dt_draft_add_event(&state->draft, DT_EVENT_WAIT, found->waiter, found->wait_node);
	dt_draft_add_event(&state->draft, DT_EVENT_ACQUIRE, found->other, found->need_node);
	if (found->wake_node != DT_NONE)
		dt_draft_add_event(&state->draft,
		                   bug->op == DT_OP_COND_WAIT || bug->op == DT_OP_SEM_WAIT ? DT_EVENT_SIGNAL : DT_EVENT_WAIT, found->other,
		                   found->wake_node);
	bug->said = true;
	return dt_draft_emit(&state->draft, &finding, state->sink, state->context);
}

/* Of a case that was judged. While the program runs, only findings are taken, and said at once. */
static enum dt_err record(void *context, const struct dt_wait_case *found)
{
	struct dt_check_state *state = context;
	struct bug wanted = identity(state, found);
	uint32_t index;

	if (!state->is_finishing && rank(found->worth) < 2)
		return DT_OK;
	enum dt_err err = find_or_add(state, &wanted, &index);
	if (err)
		return err;
	struct bug *bug = &state->bugs.at[index];
	if (bug->count && rank(found->worth) < rank(bug->best.worth))
		return DT_OK;
	if (!bug->count || rank(found->worth) > rank(bug->best.worth)) {
		bug->count = 0;
		bug->best = *found;
	} else if (found->worth > bug->best.worth) {
		bug->best = *found;
	}
	err = count_objects(state, index, found);
	return err || bug->said || state->is_finishing ? err : say(state, bug);
}

static enum dt_err judge(struct dt_check_state *state, uint32_t node)
{
	const struct dt_acq *acq = dt_facts_acq(state->facts, state->tree.nodes.at[node].acq);
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < acq->segment_count; i++)
		err = dt_waits_judge(&state->waits, node, acq->segments[i], record, state);
	return err;
}

/* May what was done at `node` change how the wait is judged? */
static bool concerns(struct dt_check_state *state, uint32_t node, uint32_t wait)
{
	uint32_t vertex = state->tree.nodes.at[node].vertex;

	if (node == wait || (vertex != DT_NONE && vertex == state->tree.nodes.at[wait].vertex))
		return true;
	if (!dt_tree_held(&state->tree, wait))
		return false;
	for (uint32_t i = 0; i < state->tree.held.count; i++)
		if (state->tree.held.at[i].vertex == vertex)
			return true;
	return false;
}

static enum dt_err feed(struct dt_check_state *state, uint32_t acq, uint32_t segment)
{
	uint32_t node;
	enum dt_err err = dt_tree_add(&state->tree, acq, &node);

	(void)segment;
	err = err ? err : dt_waits_update(&state->waits);
	for (uint32_t i = 0; !err && node != DT_NONE && i < state->waits.waits.count; i++)
		if (concerns(state, node, state->waits.waits.at[i]))
			err = judge(state, state->waits.waits.at[i]);
	return err;
}

/* The locks that are held while waiting and what is waited for, in `locks`: for most programs few of all. */
static enum dt_err find_concerned(struct dt_check_state *state, struct dt_idmap *locks)
{
	struct dt_tree waiting;
	enum dt_err err = DT_OK;
	uint32_t node;

	dt_tree_init(&waiting, state->facts, state->alloc, false);
	for (uint32_t i = 0; !err && i < dt_facts_acq_count(state->facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(state->facts, i);
		if (acq->depth > 1 && dt_waits_is_wait(acq->op))
			err = dt_tree_add(&waiting, acq->id, &node);
	}
	for (uint32_t v = 0; !err && v < waiting.vertices.count; v++)
		if (!dt_idmap_add(locks, state->alloc, waiting.vertices.at[v].lock, 1))
			err = DT_ERR_NOMEM;
	dt_tree_fini(&waiting);
	return err;
}

/* What can have a part in such a wait, in order of arrival. */
static enum dt_err collect(struct dt_check_state *state)
{
	struct dt_idmap locks = {0};
	enum dt_err err = find_concerned(state, &locks);
	uint32_t node;

	for (uint32_t i = 0; !err && locks.page_count && i < dt_facts_acq_count(state->facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(state->facts, i);
		if (dt_waits_is_wait(acq->op) || dt_waits_is_signal(acq->op) || dt_idmap_find(&locks, acq->lock))
			err = dt_tree_add(&state->tree, acq->id, &node);
	}
	dt_idmap_fini(&locks, state->alloc);
	return err;
}

static enum dt_err finish(struct dt_check_state *state)
{
	enum dt_err err;

	state->is_finishing = true;
	state->waits.steps = 0;
	dt_pairmap_fini(&state->counted, state->alloc);
	for (uint32_t i = 0; i < state->bugs.count; i++)
		state->bugs.at[i].count = 0;
	err = collect(state);
	err = err ? err : dt_waits_update(&state->waits);
	for (uint32_t i = 0; !err && i < state->waits.waits.count; i++)
		err = judge(state, state->waits.waits.at[i]);
	state->bounded = state->waits.steps > state->waits.max_steps;
	for (uint32_t i = 0; !err && i < state->bugs.count; i++) {
		struct bug *bug = &state->bugs.at[i];
		if (bug->count && !bug->said && (state->want_filtered || rank(bug->best.worth)))
			err = say(state, bug);
	}
	return err;
}

static uint32_t bounds_hit(const struct dt_check_state *state)
{
	return state->bounded ? DT_BOUND_WAITS : 0;
}

const struct dt_check dt_check_wait_while_holding = {
    "wait-while-holding", open_check, feed, finish, close_check, bounds_hit,
};
