/* waits.c: for each wait the wakers are listed once; then one walk over the acquisitions of each lock
 * held. That is linear in what was seen of the objects at hand, where every pair of signal and
 * acquisition would be their product. */
#include "waits.h"

enum { SEGMENTS_A_STEP = 16 };

void dt_waits_init(struct dt_waits *waits, struct dt_facts *facts, struct dt_tree *tree, uint64_t max_steps)
{
	memset(waits, 0, sizeof *waits);
	waits->facts = facts;
	waits->tree = tree;
	waits->alloc = tree->alloc;
	waits->max_steps = max_steps;
}

void dt_waits_fini(struct dt_waits *waits)
{
	dt_vec_fini(&waits->acts, waits->alloc);
	dt_vec_fini(&waits->next_act, waits->alloc);
	dt_vec_fini(&waits->waits, waits->alloc);
	dt_vec_fini(&waits->signals, waits->alloc);
	dt_vec_fini(&waits->wakers, waits->alloc);
	dt_vec_fini(&waits->held, waits->alloc);
	dt_vec_fini(&waits->holders, waits->alloc);
	dt_vec_fini(&waits->slots, waits->alloc);
	dt_idmap_fini(&waits->waker_of, waits->alloc);
}

/* Condition variables and semaphores: somebody else's act ends the wait. */
/* Callers between what two functions do and what calls both: wrappers and a few levels of the program. */
enum { NEAR_FRAMES = 6 };

static bool waits_for_signal(const struct dt_node *node)
{
	return node->op == DT_OP_COND_WAIT || node->op == DT_OP_SEM_WAIT;
}

bool dt_waits_is_wait(uint32_t op)
{
	return op == DT_OP_COND_WAIT || op == DT_OP_SEM_WAIT || op == DT_OP_JOIN || op == DT_OP_BARRIER_WAIT;
}

bool dt_waits_is_signal(uint32_t op)
{
	return op == DT_OP_COND_SIGNAL || op == DT_OP_SEM_POST;
}

/* Does only the order in which a thread was first seen to do things tell what it does before it ends the wait? So for
 * signals; and for a barrier between processes, of whose rounds nobody knows who met whom. */
static bool goes_by_first_sight(const struct dt_waits *waits, uint32_t wait)
{
	const struct dt_node *node = &waits->tree->nodes.at[wait];

	if (node->op != DT_OP_BARRIER_WAIT || node->vertex == DT_NONE)
		return waits_for_signal(node);
	return dt_facts_lock(waits->facts, waits->tree->vertices.at[node->vertex].lock)->flags & DT_LOCK_PSHARED;
}

static enum dt_err add_node(struct dt_waits *waits, uint32_t node)
{
	const struct dt_node *n = &waits->tree->nodes.at[node];
	uint32_t *next = dt_vec_push(&waits->next_act, waits->alloc);

	if (!next)
		return DT_ERR_NOMEM;
	*next = DT_NONE;
	if (n->vertex != DT_NONE) {
		struct dt_list *act = &waits->acts.at[n->vertex];
		if (act->first == DT_NONE)
			act->first = node;
		else
			waits->next_act.at[act->last] = node;
		act->last = node;
	}
	if (dt_waits_is_signal(n->op) && n->parent != DT_NONE) {
		uint32_t *signal = dt_vec_push(&waits->signals, waits->alloc);
		if (!signal)
			return DT_ERR_NOMEM;
		*signal = node;
	}
	if (!dt_waits_is_wait(n->op) || n->parent == DT_NONE)
		return DT_OK;
	uint32_t *wait = dt_vec_push(&waits->waits, waits->alloc);
	if (!wait)
		return DT_ERR_NOMEM;
	*wait = node;
	return DT_OK;
}

enum dt_err dt_waits_update(struct dt_waits *waits)
{
	enum dt_err err = DT_OK;

	while (waits->acts.count < waits->tree->vertices.count) {
		struct dt_list *act = dt_vec_push(&waits->acts, waits->alloc);
		if (!act)
			return DT_ERR_NOMEM;
		*act = (struct dt_list){DT_NONE, DT_NONE};
	}
	while (!err && waits->next_act.count < waits->tree->nodes.count)
		err = add_node(waits, waits->next_act.count);
	return err;
}

static uint32_t thread_of(const struct dt_waits *waits, uint32_t segment)
{
	const struct dt_segment *s = dt_facts_segment(waits->facts, segment);

	return s ? s->thread : 0;
}

static const struct dt_acq *acq_of(const struct dt_waits *waits, uint32_t node)
{
	return dt_facts_acq(waits->facts, waits->tree->nodes.at[node].acq);
}

/* Costs steps by how far the walk over the segments between may have to go. */
static bool is_ordered(struct dt_waits *waits, uint32_t a, uint32_t b)
{
	waits->steps += 1 + (a < b ? b - a : a - b) / SEGMENTS_A_STEP;
	return a < b ? dt_facts_happens_before(waits->facts, a, b)
	             : dt_facts_happens_before(waits->facts, b, a);
}

static struct dt_waker *find_waker(struct dt_waits *waits, uint32_t thread)
{
	uint32_t index = dt_idmap_find(&waits->waker_of, thread);

	if (!index || !waits->slots.at[index - 1])
		return NULL;
	return &waits->wakers.at[waits->slots.at[index - 1] - 1];
}

static struct dt_waker *add_waker(struct dt_waits *waits, uint32_t thread)
{
	uint32_t index = dt_idmap_find(&waits->waker_of, thread);

	if (!index) {
		if (!dt_vec_push(&waits->slots, waits->alloc) ||
		    !dt_idmap_add(&waits->waker_of, waits->alloc, thread, waits->slots.count))
			return NULL;
		index = waits->slots.count;
	}
	struct dt_waker *waker = dt_vec_push(&waits->wakers, waits->alloc);
	if (!waker)
		return NULL;
	*waker = (struct dt_waker){.thread = thread, .node = DT_NONE, .ordered = true};
	waits->slots.at[index - 1] = waits->wakers.count;
	return waker;
}

static void forget_wakers(struct dt_waits *waits)
{
	for (uint32_t i = 0; i < waits->slots.count && waits->wakers.count; i++)
		waits->slots.at[i] = 0;
	waits->wakers.count = 0;
}

/* Who signals or arrives there, the waiter excepted. */
static enum dt_err list_by_act(struct dt_waits *waits, uint32_t vertex, enum dt_op op, uint32_t segment,
                               uint32_t waiter)
{
	for (uint32_t n = waits->acts.at[vertex].first; n != DT_NONE; n = waits->next_act.at[n]) {
		if (waits->tree->nodes.at[n].op != op)
			continue;
		const struct dt_acq *acq = acq_of(waits, n);
		for (uint32_t i = 0; i < acq->segment_count; i++) {
			uint32_t thread = thread_of(waits, acq->segments[i]);
			if (!thread || thread == waiter)
				continue;
			struct dt_waker *waker = find_waker(waits, thread);
			if (!waker && !(waker = add_waker(waits, thread)))
				return DT_ERR_NOMEM;
			uint32_t seen_at = dt_acq_seen_at(acq, i);
			if (!waker->ordered && seen_at >= waker->seen_at)
				continue;
			bool ordered = is_ordered(waits, acq->segments[i], segment);
			if (ordered && waker->node != DT_NONE)
				continue;
			waker->node = n;
			waker->seen_at = seen_at;
			waker->ordered = ordered;
		}
	}
	return DT_OK;
}

static enum dt_err list_wakers(struct dt_waits *waits, uint32_t node, uint32_t segment, uint32_t waiter)
{
	const struct dt_node *n = &waits->tree->nodes.at[node];

	forget_wakers(waits);
	if (n->op != DT_OP_JOIN && n->vertex == DT_NONE)
		return DT_OK;
	if (n->op == DT_OP_COND_WAIT)
		return list_by_act(waits, n->vertex, DT_OP_COND_SIGNAL, segment, waiter);
	if (n->op == DT_OP_SEM_WAIT)
		return list_by_act(waits, n->vertex, DT_OP_SEM_POST, segment, waiter);
	if (n->op == DT_OP_BARRIER_WAIT)
		return list_by_act(waits, n->vertex, DT_OP_BARRIER_WAIT, segment, waiter);
	uint32_t joined = acq_of(waits, node)->lock;
	if (joined == waiter || !dt_facts_thread(waits->facts, joined))
		return DT_OK;
	struct dt_waker *waker = add_waker(waits, joined);
	if (!waker)
		return DT_ERR_NOMEM;
	waker->ordered = false;
	return DT_OK;
}

/* A lock that the waiter holds during the wait and under which alone `tree->held` says that the
 * other gets to its acquisition; 0: none. */
static uint32_t find_gate(const struct dt_waits *waits, const struct dt_held *lock)
{
	const struct dt_tree *tree = waits->tree;

	for (uint32_t i = 0; i < tree->held.count; i++) {
		const struct dt_held *theirs = &tree->held.at[i];
		for (uint32_t j = 0; j < waits->held.count; j++) {
			const struct dt_held *ours = &waits->held.at[j];
			if (ours->vertex == theirs->vertex && ours->vertex != lock->vertex &&
			    !(ours->shared && theirs->shared) && tree->vertices.at[ours->vertex].excludes)
				return tree->vertices.at[ours->vertex].lock;
		}
	}
	return 0;
}

/* What all sightings of an acquisition have in common. DT_WAIT_NOTHING: it takes again what its thread
 * has already. */
static enum dt_wait_worth judge_node(struct dt_waits *waits, const struct dt_held *lock, uint32_t wait,
                                     uint32_t need, uint32_t *reason_lock)
{
	struct dt_tree *tree = waits->tree;
	const struct dt_node *w = &tree->nodes.at[wait], *n = &tree->nodes.at[need];
	const struct dt_vertex *vertex = &tree->vertices.at[lock->vertex];
	bool readers = lock->shared && n->mode == DT_MODE_SHARED;

	*reason_lock = 0;
	if (!dt_tree_held(tree, need))
		return DT_WAIT_NOTHING;
	for (uint32_t i = 0; i < tree->held.count; i++)
		if (tree->held.at[i].vertex == lock->vertex)
			return DT_WAIT_NOTHING;
	waits->steps += tree->held.count + 1;
	if (readers)
		*reason_lock = vertex->lock;
	if (readers && !vertex->prefers_writer)
		return DT_WAIT_READERS;
	if (n->wait == DT_WAIT_TRY)
		return DT_WAIT_TRIES;
	uint32_t gate = find_gate(waits, lock);
	if (gate) {
		*reason_lock = gate;
		return DT_WAIT_GATE;
	}
	if (vertex->is_class || (w->vertex != DT_NONE && tree->vertices.at[w->vertex].is_class))
		return DT_WAIT_CLASS;
	if (w->wait == DT_WAIT_TIMED || n->wait == DT_WAIT_TIMED)
		return DT_WAIT_GIVES_UP;
	return readers ? DT_WAIT_POLICY : DT_WAIT_ALL;
}

/* How many frames of the two stacks are not those of a common caller; 0: can't be told. */
static uint32_t frames_apart(const struct dt_waits *waits, uint32_t need, uint32_t signal)
{
	const struct dt_stack *a = dt_facts_stack(waits->facts, acq_of(waits, need)->stack);
	const struct dt_stack *b = dt_facts_stack(waits->facts, acq_of(waits, signal)->stack);

	if (!a || !b || ((dt_facts_stack_flags(a) | dt_facts_stack_flags(b)) & DT_STACK_TRUNCATED))
		return 0;
	uint32_t common = 0, longer = a->count > b->count ? a->count : b->count;
	while (common < a->count && common < b->count &&
	       a->pc[a->count - 1 - common] == b->pc[b->count - 1 - common])
		common++;
	return longer - common;
}

/* Does the thread signal only far away from where it takes the lock? A function that takes a lock and one
 * that signals after it have a caller in common that is not far up. */
static bool is_apart(struct dt_waits *waits, uint32_t wait, uint32_t need, uint32_t thread)
{
	uint32_t vertex = waits->tree->nodes.at[wait].vertex;

	for (uint32_t n = vertex == DT_NONE ? DT_NONE : waits->acts.at[vertex].first; n != DT_NONE;
	     n = waits->next_act.at[n]) {
		const struct dt_acq *acq = acq_of(waits, n);
		bool his = false;
		if (acq->op != DT_OP_COND_SIGNAL && acq->op != DT_OP_SEM_POST)
			continue;
		for (uint32_t i = 0; !his && i < acq->segment_count; i++)
			his = thread_of(waits, acq->segments[i]) == thread;
		waits->steps += 1 + acq->segment_count;
		if (his && frames_apart(waits, need, n) <= NEAR_FRAMES)
			return false;
	}
	return true;
}

/* When the thread was first seen to do this: a record number. */
static uint32_t first_seen(struct dt_waits *waits, const struct dt_acq *acq, uint32_t thread)
{
	uint32_t nth = 0;

	while (thread_of(waits, acq->segments[nth]) != thread)
		nth++;
	waits->steps += nth;
	return dt_acq_seen_at(acq, nth);
}

static void judge_acquisition(struct dt_waits *waits, const struct dt_held *lock, uint32_t need,
                              uint32_t segment, struct dt_wait_case *best)
{
	const struct dt_acq *acq = acq_of(waits, need);
	uint32_t reason_lock;
	enum dt_wait_worth common = judge_node(waits, lock, best->wait_node, need, &reason_lock);

	for (uint32_t i = 0; common != DT_WAIT_NOTHING && i < acq->segment_count; i++) {
		struct dt_waker *waker = find_waker(waits, thread_of(waits, acq->segments[i]));
		enum dt_wait_worth worth = common;
		waits->steps++;
		if (!waker)
			continue;
		waker->needs |= worth > DT_WAIT_TRIES;
		if (worth <= best->worth)
			continue;
		if (worth > DT_WAIT_ORDERED &&
		    (waker->ordered || is_ordered(waits, acq->segments[i], segment)))
			worth = DT_WAIT_ORDERED;
		/* It had signalled already when it first needed this. */
		if (worth > DT_WAIT_WORD_GIVEN && waker->node != DT_NONE &&
		    goes_by_first_sight(waits, best->wait_node) &&
		    waker->seen_at < first_seen(waits, acq, waker->thread))
			worth = DT_WAIT_WORD_GIVEN;
		if (worth > DT_WAIT_APART && worth > best->worth &&
		    waits_for_signal(&waits->tree->nodes.at[best->wait_node]) &&
		    is_apart(waits, best->wait_node, need, waker->thread))
			worth = DT_WAIT_APART;
		if (worth <= best->worth)
			continue;
		best->worth = worth;
		best->other = waker->thread;
		best->need_node = need;
		best->wake_node = waker->node;
		best->reason_lock = worth == DT_WAIT_ORDERED ? 0 : reason_lock;
	}
}

static bool is_held_at(struct dt_waits *waits, uint32_t node, uint32_t vertex)
{
	if (!dt_tree_held(waits->tree, node))
		return false;
	waits->steps += 1 + waits->tree->held.count;
	for (uint32_t i = 0; i < waits->tree->held.count; i++)
		if (waits->tree->held.at[i].vertex == vertex)
			return true;
	return false;
}

/* Was the thread seen to signal under the lock? Then who joins it under the same lock may do so on its
 * word that it is done: a flag or a counter that the lock guards. */
static bool gave_its_word(struct dt_waits *waits, uint32_t thread, uint32_t vertex)
{
	for (uint32_t i = 0; i < waits->signals.count; i++) {
		const struct dt_acq *acq = acq_of(waits, waits->signals.at[i]);
		bool holds = is_held_at(waits, waits->signals.at[i], vertex), his = false;

		for (uint32_t k = 0; holds && k < acq->segment_count; k++)
			his |= thread_of(waits, acq->segments[k]) == thread;
		if (his)
			return true;
	}
	return false;
}

/* Does a thread signal that does not need the lock? */
static bool has_other_waker(const struct dt_waits *waits)
{
	for (uint32_t i = 0; i < waits->wakers.count; i++)
		if (!waits->wakers.at[i].ordered && !waits->wakers.at[i].needs)
			return true;
	return false;
}

/* Was every unit of the semaphore that another thread posted, posted under the lock? */
static bool all_posted_under(struct dt_waits *waits, uint32_t wait, uint32_t lock, uint32_t waiter)
{
	for (uint32_t n = waits->acts.at[waits->tree->nodes.at[wait].vertex].first; n != DT_NONE;
	     n = waits->next_act.at[n]) {
		const struct dt_acq *acq = acq_of(waits, n);
		bool others = false;
		if (acq->op != DT_OP_SEM_POST)
			continue;
		for (uint32_t i = 0; !others && i < acq->segment_count; i++)
			others = thread_of(waits, acq->segments[i]) != waiter;
		if (others && !is_held_at(waits, n, lock))
			return false;
	}
	return true;
}

/* Units that a thread had when it waited in that node; 0: none. */
static uint32_t units_held_at(struct dt_waits *waits, uint32_t node, uint32_t vertex)
{
	uint32_t units = 0;

	if (!is_held_at(waits, node, vertex))
		return 0;
	for (uint32_t i = 0; i < waits->tree->held.count; i++) {
		const struct dt_held *held = &waits->tree->held.at[i];
		if (held->vertex != vertex)
			continue;
		uint32_t most = 1, acq = waits->tree->nodes.at[held->node].acq;
		for (uint32_t k = 0; k < dt_facts_units_count(waits->facts); k++) {
			const struct dt_units *seen = dt_facts_units_nth(waits->facts, k);
			most = seen->acq == acq && seen->units > most ? seen->units : most;
		}
		units += most;
	}
	return units;
}

static bool is_listed(const struct dt_waits *waits, uint32_t thread)
{
	for (uint32_t i = 0; i < waits->holders.count; i++)
		if (waits->holders.at[i] == thread)
			return true;
	return false;
}

/* Do threads that wait with units of the counted semaphore, all together, leave one for the other? A thread counts
 * once, with the first place where it was seen to. */
static enum dt_err are_units_left(struct dt_waits *waits, uint32_t vertex, uint32_t other, bool *left)
{
	uint32_t all = waits->tree->vertices.at[vertex].units, out = 0;

	waits->holders.count = 0;
	for (uint32_t i = 0; i < waits->waits.count && out < all; i++) {
		uint32_t node = waits->waits.at[i], units = units_held_at(waits, node, vertex);
		const struct dt_acq *acq = acq_of(waits, node);
		for (uint32_t k = 0; units && k < acq->segment_count; k++) {
			uint32_t thread = thread_of(waits, acq->segments[k]);
			if (!thread || thread == other || is_listed(waits, thread))
				continue;
			uint32_t *at = dt_vec_push(&waits->holders, waits->alloc);
			if (!at)
				return DT_ERR_NOMEM;
			*at = thread;
			out += units;
		}
	}
	*left = out < all;
	return DT_OK;
}

static enum dt_err judge_lock(struct dt_waits *waits, const struct dt_held *lock, uint32_t node,
                              uint32_t segment, uint32_t waiter, dt_wait_answer *answer, void *context)
{
	struct dt_wait_case best = {.wait_node = node, .hold_node = lock->node, .waiter = waiter};

	for (uint32_t i = 0; i < waits->wakers.count; i++)
		waits->wakers.at[i].needs = false;
	for (uint32_t n = waits->acts.at[lock->vertex].first; n != DT_NONE; n = waits->next_act.at[n]) {
		if (waits->tree->nodes.at[n].op == DT_OP_ACQUIRE)
			judge_acquisition(waits, lock, n, segment, &best);
		if (waits->steps > waits->max_steps)
			return DT_OK;
	}
	if (best.worth == DT_WAIT_NOTHING)
		return DT_OK;
	if (best.worth > DT_WAIT_WORD_GIVEN && waits->tree->nodes.at[node].op == DT_OP_JOIN &&
	    gave_its_word(waits, best.other, lock->vertex)) {
		best.worth = DT_WAIT_WORD_GIVEN;
		best.reason_lock = 0;
	}
	if (best.worth > DT_WAIT_OTHER_WAKER && waits_for_signal(&waits->tree->nodes.at[node]) &&
	    has_other_waker(waits)) {
		best.worth = DT_WAIT_OTHER_WAKER;
		best.reason_lock = 0;
	}
	if (best.worth > DT_WAIT_POSTED_UNDER && waits->tree->nodes.at[node].op == DT_OP_SEM_WAIT &&
	    all_posted_under(waits, node, lock->vertex, waiter)) {
		best.worth = DT_WAIT_POSTED_UNDER;
		best.reason_lock = 0;
	}
	if (best.worth > DT_WAIT_UNITS_LEFT && waits->tree->vertices.at[lock->vertex].units > 1) {
		bool left;
		enum dt_err err = are_units_left(waits, lock->vertex, best.other, &left);
		if (err)
			return err;
		best.worth = left ? DT_WAIT_UNITS_LEFT : best.worth;
	}
	return answer(context, &best);
}

enum dt_err dt_waits_judge(struct dt_waits *waits, uint32_t node, uint32_t segment, dt_wait_answer *answer,
                           void *context)
{
	uint32_t waiter = thread_of(waits, segment);

	if (!waiter || waits->steps > waits->max_steps || !dt_tree_held(waits->tree, node))
		return DT_OK;
	waits->held.count = 0;
	for (uint32_t i = 0; i < waits->tree->held.count; i++) {
		struct dt_held *held = dt_vec_push(&waits->held, waits->alloc);
		if (!held)
			return DT_ERR_NOMEM;
		*held = waits->tree->held.at[i];
	}
	enum dt_err err = waits->held.count ? list_wakers(waits, node, segment, waiter) : DT_OK;
	for (uint32_t i = 0; !err && waits->wakers.count && i < waits->held.count; i++)
		err = judge_lock(waits, &waits->held.at[i], node, segment, waiter, answer, context);
	return err;
}
