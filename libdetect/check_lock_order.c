/* check_lock_order.c: locks taken in orders that can deadlock.
 *
 * After Goodlock (Havelund 2000) and its generalisation to cycles of any length (Bensalem and Havelund
 * 2005; Agarwal, Bensalem, Farchi, Havelund, Nir-Buchbinder, Stoller, Ur and Wang 2010): an edge for
 * each lock held at an acquisition, cycles of edges, and what makes a cycle impossible filtered with
 * the reason. The parts:
 *   near_edges.c  the edges that tell which locks are on cycles,
 *   scc.c      and which those are
 *   tree.c     who held what at each acquisition of those
 *   edges.c    the edges among those, with every exemplar
 *   tangle.c   which cycles to look at, by cycles.c
 *   filters.c  whether exemplars make a cycle possible
 *   bugs.c     cycles of the same code are one
 *   live.c     the same while the program runs */
#include <detect/check.h>

#include "bugs.h"
#include "checks.h"
#include "live.h"
#include "near_edges.h"
#include "scc.h"
#include "sort.h"
#include "tangle.h"

enum {
	DEFAULT_CYCLE_LENGTH = 16,
	DEFAULT_SEARCH_STEPS = 4000000,
	SIGHTS_MAX = 1000000, /* exemplars kept, each a few hundred bytes */
	DEEP = 64,            /* an acquisition under more locks than this */
};

struct dt_check_state {
	struct dt_facts *facts;
	struct dt_alloc *alloc;
	struct dt_tangle_options options;
	dt_finding_sink *sink;
	void *context;
	struct dt_tree tree;
	struct dt_places places;
	struct dt_bugs bugs;
	struct dt_live live;
	bool is_live; /* live is open: something was fed */
	uint32_t bounded; /* enum dt_bound */
};

/* The lock-order graph, all of it, and its tangles. */
struct order {
	struct dt_check_state *state;
	uint32_t *of_lock;   /* by number in the facts: its component; 0: on no cycle */
	uint32_t *component; /* of each vertex */
	uint32_t locks, vertices, components;
	struct dt_edges edges;
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
	state->options = (struct dt_tangle_options){
	    .max_cycle_length = options->max_cycle_length ? options->max_cycle_length : DEFAULT_CYCLE_LENGTH,
	    .max_search_steps = options->max_search_steps ? options->max_search_steps : DEFAULT_SEARCH_STEPS,
	    .want_filtered = options->want_filtered,
	};
	state->sink = sink;
	state->context = context;
	dt_tree_init(&state->tree, facts, alloc, options->rwlock_prefer_writer);
	dt_places_init(&state->places, alloc);
	dt_bugs_init(&state->bugs, &state->tree);
	*out = state;
	return DT_OK;
}

static void close_live(struct dt_check_state *state)
{
	if (state->is_live)
		dt_live_close(&state->live);
	state->is_live = false;
}

static void close_check(struct dt_check_state *state)
{
	close_live(state);
	dt_bugs_fini(&state->bugs);
	dt_places_fini(&state->places);
	dt_tree_fini(&state->tree);
	state->alloc->resize(state->alloc, state, sizeof *state, 0);
}

static enum dt_err feed(struct dt_check_state *state, uint32_t acq, uint32_t segment)
{
	if (!state->is_live) {
		enum dt_err err = dt_live_open(&state->live, &state->tree, &state->places, &state->bugs,
		                               state->facts, &state->options, state->sink, state->context);
		state->is_live = true;
		if (err)
			return err;
	}
	return dt_live_feed(&state->live, acq, segment);
}

static void *zeroed(struct dt_alloc *alloc, size_t count)
{
	void *block = alloc->resize(alloc, NULL, 0, count * sizeof(uint32_t));

	return block ? memset(block, 0, count * sizeof(uint32_t)) : NULL;
}

/* Which locks are on cycles. */
static enum dt_err find_components(struct order *order)
{
	struct dt_alloc *alloc = order->state->alloc;
	struct dt_near_edges near;

	order->locks = dt_facts_lock_count(order->state->facts);
	order->of_lock = zeroed(alloc, (size_t)order->locks + 1);
	if (!order->of_lock)
		return DT_ERR_NOMEM;
	enum dt_err err = dt_near_edges_find(&near, order->state->facts, alloc);
	order->state->bounded |= near.bounded ? DT_BOUND_DEPTH : 0;
	if (!err)
		err =
		    dt_scc(alloc, order->locks, near.first, near.target, order->of_lock, &order->components);
	dt_near_edges_fini(&near);
	return err;
}

static uint32_t component_of(const struct order *order, uint32_t lock)
{
	return order->of_lock[dt_facts_lock_number(order->state->facts, lock)];
}

/* The tree, of what was done to those. */
static enum dt_err collect(struct order *order)
{
	struct dt_check_state *state = order->state;
	struct dt_tree *tree = &state->tree;
	uint32_t node;
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && order->components && i < dt_facts_acq_count(state->facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(state->facts, i);
		if (acq->op == DT_OP_ACQUIRE && acq->depth > 1 && component_of(order, acq->lock))
			err = dt_tree_add(tree, acq->id, &node);
	}
	if (err)
		return err;
	order->vertices = tree->vertices.count;
	order->component = zeroed(state->alloc, (size_t)order->vertices + 1);
	if (!order->component)
		return DT_ERR_NOMEM;
	for (uint32_t v = 0; v < order->vertices; v++)
		order->component[v] = component_of(order, tree->vertices.at[v].lock);
	return DT_OK;
}

/* Keep edges within a tangle; over the budget only those that make a pair with one that is there. */
static bool is_wanted(void *context, uint32_t from, uint32_t to)
{
	struct order *order = context;

	if (order->component[from] != order->component[to])
		return false;
	if (order->edges.sights.count < SIGHTS_MAX)
		return true;
	order->state->bounded |= DT_BOUND_SIGHTS;
	return dt_edges_find(&order->edges, to, from) != DT_NONE;
}

static enum dt_err collect_from(struct order *order, uint32_t node)
{
	struct dt_tree *tree = &order->state->tree;
	const struct dt_acq *acq = dt_facts_acq(order->state->facts, tree->nodes.at[node].acq);
	enum dt_err err = DT_OK;

	if (!dt_tree_held(tree, node)) {
		order->state->bounded |= DT_BOUND_DEPTH;
		return DT_OK;
	}
	if (!dt_tree_wants(tree, node))
		return DT_OK;
	for (uint32_t i = 0; !err && i < acq->segment_count; i++)
		err = dt_edges_add(&order->edges, node, acq->segments[i], is_wanted, order);
	return err;
}

/* Every edge of the tangles with every exemplar. Those from under many locks come last: a chain of n
 * locks has n * n / 2 edges, and must not use up the budget of the others. */
static enum dt_err collect_exemplars(struct order *order)
{
	const struct dt_tree *tree = &order->state->tree;
	enum dt_err err = DT_OK;

	for (int deep = 0; deep < 2; deep++) {
		for (uint32_t node = 0; !err && node < tree->nodes.count; node++) {
			const struct dt_node *n = &tree->nodes.at[node];
			if (n->op != DT_OP_ACQUIRE || n->vertex == DT_NONE || !order->component[n->vertex])
				continue;
			if ((dt_facts_acq(order->state->facts, n->acq)->depth > DEEP) == deep)
				err = collect_from(order, node);
		}
	}
	return err;
}

/* Group the edges by tangle and search each. */
static enum dt_err search_tangles(struct order *order)
{
	struct dt_check_state *state = order->state;
	const struct dt_edges *edges = &order->edges;
	struct dt_tangle tangle;
	enum dt_err err = DT_OK;
	uint32_t *start = zeroed(state->alloc, (size_t)order->components + 3);
	uint32_t *sorted = zeroed(state->alloc, (size_t)edges->edges.count + 1);

	dt_tangle_init(&tangle, &order->edges, &state->bugs, state->facts, &state->options);
	if (!start || !sorted)
		err = DT_ERR_NOMEM;
	for (uint32_t e = 0; !err && e < edges->edges.count; e++)
		start[order->component[edges->edges.at[e].from] + 2]++;
	for (uint32_t c = 0; !err && c <= order->components; c++)
		start[c + 2] += start[c + 1];
	for (uint32_t e = 0; !err && e < edges->edges.count; e++)
		sorted[start[order->component[edges->edges.at[e].from] + 1]++] = e;
	for (uint32_t c = 1; !err && c <= order->components; c++)
		err = dt_tangle_search(&tangle, sorted + start[c], start[c + 1] - start[c]);
	state->bounded |= tangle.bounded ? DT_BOUND_CYCLES : 0;
	dt_tangle_fini(&tangle);
	if (start)
		state->alloc->resize(state->alloc, start, ((size_t)order->components + 3) * sizeof *start, 0);
	if (sorted)
		state->alloc->resize(state->alloc, sorted, ((size_t)edges->edges.count + 1) * sizeof *sorted,
		                     0);
	return err;
}

static void fini_order(struct order *order)
{
	struct dt_alloc *alloc = order->state->alloc;

	if (order->of_lock)
		alloc->resize(alloc, order->of_lock, ((size_t)order->locks + 1) * sizeof *order->of_lock, 0);
	if (order->component)
		alloc->resize(alloc, order->component,
		              ((size_t)order->vertices + 1) * sizeof *order->component, 0);
	dt_edges_fini(&order->edges);
}

/* A note about code that a finding shows adds nothing: who mends the one has mended the other. */
static enum dt_err say_bugs(struct dt_check_state *state)
{
	enum dt_err err = dt_bugs_weigh(&state->bugs);

	for (uint32_t i = 0; !err && i < state->bugs.all.count; i++) {
		struct dt_bug *bug = &state->bugs.all.at[i];
		/* Findings that feed has said already are not said again. */
		if (bug->count && !bug->said && !bug->is_shadowed &&
		    (state->options.want_filtered || !dt_bug_is_filtered(bug)))
			err = dt_bug_say(&state->bugs, bug, state->sink, state->context);
	}
	return err;
}

static enum dt_err finish(struct dt_check_state *state)
{
	struct order order = {.state = state};

	close_live(state);
	dt_bugs_restart(&state->bugs);
	dt_edges_init(&order.edges, &state->tree, &state->places);
	enum dt_err err = find_components(&order);
	err = err ? err : collect(&order);
	err = err ? err : collect_exemplars(&order);
	err = err ? err : search_tangles(&order);
	err = err ? err : say_bugs(state);
	fini_order(&order);
	return err;
}

static uint32_t bounds_hit(const struct dt_check_state *state)
{
	return state->bounded;
}

const struct dt_check dt_check_lock_order = {"lock-order", open_check, feed, finish, close_check, bounds_hit};
