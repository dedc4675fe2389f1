/* check_signals.c: a lock that a handler waits for, and that a thread takes where that handler may interrupt it:
 * the handler then waits for the thread that it runs in.
 *
 * Of each lock two short lists are kept: `inside`, by handlers (one entry a signal, stack, mode and wait), and
 * `outside`, where handlers could interrupt (one entry a set of signals and a mode: any of them will do as
 * the example). The two lists are judged pair by pair as they grow. What keeps a pair from mattering:
 *   TRY        the handler only tries
 *   READERS    both for reading
 * and what demotes: TIMED (the handler gives up), CLASS_ONLY. READER_POLICY is said of readers of a lock that
 * prefers writers. A recursive or errorcheck mutex can't wait for its own thread, and a semaphore that is a
 * signal is held by nobody: neither is looked at. There is no order to look at either: a signal comes when it
 * likes.
 *
 * One bug is one place of a handler of one signal; it counts the locks. The tier is POSSIBLE: that the signal
 * can come just then was not shown. */
#include "checks.h"
#include "draft.h"
#include "pairmap.h"

struct use {
	uint32_t lock, acq, next; /* next: of the same lock, or DT_NONE */
	uint64_t open;            /* outside: the signals */
};

struct lock_uses {
	struct dt_list inside, outside;
};

struct bug {
	uint32_t signal, stack, lock; /* lock: where the stack is not known, else 0 */
	uint32_t inside, outside;     /* acquisitions: the best pair */
	enum dt_reason reason;
	int rank;
	uint32_t count;
	bool said;
};

struct dt_check_state {
	struct dt_facts *facts;
	struct dt_alloc *alloc;
	bool want_filtered, is_finishing;
	dt_finding_sink *sink;
	void *context;
	struct dt_tree tree;
	struct dt_draft draft;
	DT_VEC(struct use) uses;
	DT_VEC(struct lock_uses) locks;
	struct dt_idmap lock_of;   /* lock id: index + 1 */
	struct dt_pairmap known;   /* by hash of what an entry stands for */
	struct dt_pairmap counted; /* by hash of bug, rank and lock */
	DT_VEC(struct bug) bugs;
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
	dt_draft_init(&state->draft, &state->tree);
	*out = state;
	return DT_OK;
}

static void close_check(struct dt_check_state *state)
{
	struct dt_alloc *alloc = state->alloc;

	dt_draft_fini(&state->draft);
	dt_tree_fini(&state->tree);
	dt_vec_fini(&state->uses, alloc);
	dt_vec_fini(&state->locks, alloc);
	dt_vec_fini(&state->bugs, alloc);
	dt_idmap_fini(&state->lock_of, alloc);
	dt_pairmap_fini(&state->known, alloc);
	dt_pairmap_fini(&state->counted, alloc);
	alloc->resize(alloc, state, sizeof *state, 0);
}

/* It can wait for its own thread. */
static bool concerns(const struct dt_lock *lock)
{
	if (!lock || lock->flags & (DT_LOCK_RECURSIVE | DT_LOCK_ERRORCHECK))
		return false;
	return lock->kind == DT_LOCK_SEM ? lock->units == 1 && !lock->signal : lock->kind != DT_LOCK_ONCE;
}

static enum dt_reason judge(const struct dt_check_state *state, const struct dt_acq *inside,
                            const struct dt_acq *outside, int *rank)
{
	const struct dt_lock *lock = dt_facts_lock(state->facts, inside->lock);
	bool readers = inside->mode == DT_MODE_SHARED && outside->mode == DT_MODE_SHARED;
	bool policy = lock->flags & DT_LOCK_PREFER_WRITER || state->tree.prefer_writer;

	*rank = 0;
	if (inside->wait == DT_WAIT_TRY)
		return DT_REASON_TRY;
	if (readers && !policy)
		return DT_REASON_READERS;
	*rank = 1;
	if (inside->wait == DT_WAIT_TIMED)
		return DT_REASON_TIMED;
	if (lock->flags & DT_LOCK_CLASS)
		return DT_REASON_CLASS_ONLY;
	*rank = 2;
	return readers ? DT_REASON_READER_POLICY : DT_REASON_NONE;
}

static uint32_t thread_of(const struct dt_check_state *state, const struct dt_acq *acq)
{
	const struct dt_segment *segment =
	    acq->segment_count ? dt_facts_segment(state->facts, acq->segments[0]) : NULL;

	return segment ? segment->thread : 0;
}

static enum dt_err add_event(struct dt_check_state *state, uint32_t id)
{
	uint32_t node;
	enum dt_err err = dt_tree_add(&state->tree, id, &node);

	if (!err && node != DT_NONE)
		dt_draft_add_event(&state->draft, DT_EVENT_ACQUIRE,
		                   thread_of(state, dt_facts_acq(state->facts, id)), node);
	return err;
}

static enum dt_err say(struct dt_check_state *state, struct bug *bug)
{
	struct dt_finding finding = {
	    .rule = DT_RULE_LOCK_IN_SIGNAL_HANDLER,
	    .level = bug->rank == 1 ? DT_LEVEL_NOTE : DT_LEVEL_WARNING,
	    .tier = bug->rank == 2 ? DT_TIER_POSSIBLE : DT_TIER_NOTE,
	    .reason = bug->reason,
	    .filtered = bug->rank == 0,
	    .count = bug->count,
	};

	dt_draft_begin(&state->draft);
	dt_draft_add_lock(&state->draft, dt_facts_acq(state->facts, bug->inside)->lock);
	enum dt_err err = add_event(state, bug->inside);
	err = err ? err : add_event(state, bug->outside);
	if (err)
		return err;
	if (state->draft.events.count == 2) {
		state->draft.events.at[0].handler = bug->signal;
		state->draft.events.at[1].interruptible = bug->signal;
	}
	bug->said = true;
	return dt_draft_emit(&state->draft, &finding, state->sink, state->context);
}

static struct bug *find_bug(struct dt_check_state *state, const struct dt_acq *inside)
{
	uint32_t lock = inside->stack ? 0 : inside->lock;

	for (uint32_t i = 0; i < state->bugs.count; i++) {
		struct bug *bug = &state->bugs.at[i];
		if (bug->signal == inside->handler && bug->stack == inside->stack && bug->lock == lock)
			return bug;
	}
	struct bug *bug = dt_vec_push(&state->bugs, state->alloc);
	if (bug)
		*bug = (struct bug){.signal = inside->handler, .stack = inside->stack, .lock = lock, .rank = -1};
	return bug;
}

/* Each lock once in each rank. */
static enum dt_err count_lock(struct dt_check_state *state, struct bug *bug, int rank, uint32_t lock)
{
	uint64_t hash = dt_hash64(dt_pair((uint32_t)(bug - state->bugs.at) * 4 + (uint32_t)rank, lock));

	if (dt_pairmap_find(&state->counted, hash | 1))
		return DT_OK;
	bug->count++;
	return dt_pairmap_add(&state->counted, state->alloc, hash | 1, 0) ? DT_OK : DT_ERR_NOMEM;
}

static enum dt_err meet(struct dt_check_state *state, const struct use *in, const struct use *out)
{
	const struct dt_acq *inside = dt_facts_acq(state->facts, in->acq);
	const struct dt_acq *outside = dt_facts_acq(state->facts, out->acq);
	int rank;

	if (!(out->open >> (inside->handler - 1) & 1))
		return DT_OK;
	enum dt_reason reason = judge(state, inside, outside, &rank);
	struct bug *bug = find_bug(state, inside);
	if (!bug)
		return DT_ERR_NOMEM;
	if (rank > bug->rank) {
		bug->inside = in->acq;
		bug->outside = out->acq;
		bug->reason = reason;
		bug->rank = rank;
		bug->count = 0;
	}
	enum dt_err err = rank == bug->rank ? count_lock(state, bug, rank, inside->lock) : DT_OK;
	return err || bug->said || rank < 2 || state->is_finishing ? err : say(state, bug);
}

/* True: an entry that stands for the same is there already, or there is no memory (err is set then). */
static bool is_known(struct dt_check_state *state, uint64_t what, uint32_t lock, enum dt_err *err)
{
	uint64_t hash = dt_hash64(dt_hash64(what) + lock) | 1;

	if (*err || dt_pairmap_find(&state->known, hash))
		return true;
	if (!dt_pairmap_add(&state->known, state->alloc, hash, 0))
		*err = DT_ERR_NOMEM;
	return *err != DT_OK;
}

static uint32_t uses_of(struct dt_check_state *state, uint32_t lock)
{
	uint32_t at = dt_idmap_find(&state->lock_of, lock);

	if (at)
		return at - 1;
	struct lock_uses *uses = dt_vec_push(&state->locks, state->alloc);
	if (!uses)
		return DT_NONE;
	*uses = (struct lock_uses){{DT_NONE, DT_NONE}, {DT_NONE, DT_NONE}};
	if (dt_idmap_add(&state->lock_of, state->alloc, lock, state->locks.count))
		return state->locks.count - 1;
	state->locks.count--;
	return DT_NONE;
}

static bool add_use(struct dt_check_state *state, struct dt_list *list, const struct use *use)
{
	struct use *added = dt_vec_push(&state->uses, state->alloc);

	if (!added)
		return false;
	*added = *use;
	if (list->first == DT_NONE)
		list->first = state->uses.count - 1;
	else
		state->uses.at[list->last].next = state->uses.count - 1;
	list->last = state->uses.count - 1;
	return true;
}

/* Of what was added to one list, with each of the other. */
static enum dt_err meet_all(struct dt_check_state *state, const struct use *use, bool inside, uint32_t other)
{
	enum dt_err err = DT_OK;

	for (; !err && other != DT_NONE; other = state->uses.at[other].next) {
		const struct use *met = &state->uses.at[other];
		err = inside ? meet(state, use, met) : meet(state, met, use);
	}
	return err;
}

static enum dt_err take(struct dt_check_state *state, uint32_t id)
{
	const struct dt_acq *acq = dt_facts_acq(state->facts, id);

	if (!acq || !acq->depth || acq->op != DT_OP_ACQUIRE || !(acq->handler || acq->open_signals) ||
	    !concerns(dt_facts_lock(state->facts, acq->lock)))
		return DT_OK;
	struct use use = {acq->lock, id, DT_NONE, dt_facts_open_signals(state->facts, acq)};
	enum dt_err err = DT_OK;
	uint64_t how = (uint64_t)acq->mode << 62 | (uint64_t)acq->wait << 60;
	uint32_t at = uses_of(state, acq->lock);
	if (at == DT_NONE)
		return DT_ERR_NOMEM;
	struct lock_uses *uses = &state->locks.at[at];
	if (acq->handler && !is_known(state, how | (uint64_t)acq->handler << 32 | acq->stack, acq->lock, &err))
		err = add_use(state, &uses->inside, &use) ? meet_all(state, &use, true, uses->outside.first)
		                                          : DT_ERR_NOMEM;
	how &= (uint64_t)1 << 62;
	if (use.open && !is_known(state, how | (uint64_t)1 << 61 | acq->open_signals, acq->lock, &err))
		err = add_use(state, &uses->outside, &use) ? meet_all(state, &use, false, uses->inside.first)
		                                           : DT_ERR_NOMEM;
	return err;
}

static enum dt_err feed(struct dt_check_state *state, uint32_t acq, uint32_t segment)
{
	(void)segment;
	return take(state, acq);
}

/* What was fed counts too: the lists know it. */
static enum dt_err finish(struct dt_check_state *state)
{
	enum dt_err err = DT_OK;

	state->is_finishing = true;
	for (uint32_t i = 0; !err && i < dt_facts_acq_count(state->facts); i++)
		err = take(state, dt_facts_acq_nth(state->facts, i)->id);
	for (uint32_t i = 0; !err && i < state->bugs.count; i++) {
		struct bug *bug = &state->bugs.at[i];
		if (!bug->said && (state->want_filtered || bug->rank > 0))
			err = say(state, bug);
	}
	return err;
}

const struct dt_check dt_check_signals = {
    .name = "signals",
    .open = open_check,
    .feed = feed,
    .finish = finish,
    .close = close_check,
};
