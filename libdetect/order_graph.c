/* order_graph.c: the lock-order graph as check_lock_order.c sees it (after Goodlock, Havelund 2000): an edge
 * for each lock held at an acquisition. Its cycles are its strongly connected components (scc.c). */
#include <detect/order_graph.h>

#include "pairmap.h"
#include "scc.h"
#include "tree.h"

enum { DEEP = 64 }; /* a chain of n locks has n * n / 2 edges: below so many, its n direct ones must do */

struct making {
	struct dt_tree tree;
	struct dt_alloc *alloc;
	DT_VEC(struct dt_order_edge) edges; /* from and to are the tree's vertices */
	struct dt_pairmap edge_of;          /* a pair of vertices + 1: index in edges */
	bool reduced;
};

static uint32_t thread_of(const struct dt_facts *facts, const struct dt_acq *acq, uint32_t nth)
{
	const struct dt_segment *segment = dt_facts_segment(facts, acq->segments[nth]);

	return segment ? segment->thread : 0;
}

static struct dt_order_edge *find_edge(struct making *making, uint32_t from, uint32_t to)
{
	uint64_t key = dt_pair(from + 1, to + 1);
	const uint32_t *found = dt_pairmap_find(&making->edge_of, key);

	if (found)
		return &making->edges.at[*found];
	struct dt_order_edge *edge = dt_vec_push(&making->edges, making->alloc);
	if (!edge)
		return NULL;
	if (!dt_pairmap_add(&making->edge_of, making->alloc, key, making->edges.count - 1)) {
		making->edges.count--;
		return NULL;
	}
	*edge = (struct dt_order_edge){.from = from, .to = to};
	return edge;
}

/* What `node` makes of the edge from `held`. The exemplar is the first that waits, else the first. */
static enum dt_err add_edge(struct making *making, const struct dt_acq *acq, const struct dt_held *held,
                            uint32_t to, bool direct)
{
	struct dt_order_edge *edge = find_edge(making, held->vertex, to);
	bool blocks = acq->wait != DT_WAIT_TRY;

	if (!edge)
		return DT_ERR_NOMEM;
	for (uint32_t i = 0; i < acq->segment_count; i++) {
		uint32_t thread = thread_of(making->tree.facts, acq, i);
		edge->many_threads |= edge->thread && thread && edge->thread != thread;
		edge->thread = edge->thread ? edge->thread : thread;
	}
	if (!edge->acquisitions || (blocks && !edge->blocks)) {
		edge->hold_stack = making->tree.nodes.at[held->node].stack;
		edge->want_stack = acq->stack;
		if (acq->segment_count && thread_of(making->tree.facts, acq, 0))
			edge->thread = thread_of(making->tree.facts, acq, 0);
	}
	edge->acquisitions++;
	edge->direct |= direct;
	edge->blocks |= blocks;
	return DT_OK;
}

static enum dt_err add_acquisition(struct making *making, const struct dt_acq *acq)
{
	struct dt_tree *tree = &making->tree;
	bool direct = true, deep = acq->depth > DEEP;
	uint32_t node;
	enum dt_err err = dt_tree_add(tree, acq->id, &node);

	if (err || node == DT_NONE)
		return err;
	if (!dt_tree_held(tree, node)) {
		making->reduced = true;
		return DT_OK;
	}
	if (!dt_tree_wants(tree, node))
		return DT_OK;
	making->reduced |= deep;
	for (uint32_t i = tree->held.count; !err && (direct || !deep) && i-- > 0;) {
		const struct dt_held held = tree->held.at[i];
		if (held.vertex == tree->nodes.at[node].vertex)
			continue;
		err = add_edge(making, acq, &held, tree->nodes.at[node].vertex, direct);
		/* What a release out of order left behind has no edge of its own to what is nearer. */
		direct = direct && tree->nodes.at[held.node].op != DT_OP_ACQUIRE;
	}
	return err;
}

static enum dt_err add_all(struct making *making)
{
	const struct dt_facts *facts = making->tree.facts;
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < dt_facts_acq_count(facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(facts, i);
		if (acq->op == DT_OP_ACQUIRE && acq->depth >= 2)
			err = add_acquisition(making, acq);
	}
	return err;
}

static void *zeroed(struct dt_alloc *alloc, size_t count)
{
	void *block = alloc->resize(alloc, NULL, 0, count * sizeof(uint32_t));

	return block ? memset(block, 0, count * sizeof(uint32_t)) : NULL;
}

static void give_back(struct dt_alloc *alloc, uint32_t *block, size_t count)
{
	if (block)
		alloc->resize(alloc, block, count * sizeof(uint32_t), 0);
}

/* `component` of every vertex of the tree. */
static enum dt_err find_components(const struct making *making, uint32_t *component)
{
	struct dt_alloc *alloc = making->alloc;
	uint32_t n = making->tree.vertices.count, edges = making->edges.count, components;
	uint32_t *first = zeroed(alloc, (size_t)n + 2), *target = zeroed(alloc, (size_t)edges + 1);
	enum dt_err err = DT_ERR_NOMEM;

	if (first && target) {
		/* first[v + 1] counts, then is where v's next edge goes, then where v + 1 begins. */
		for (uint32_t i = 0; i < edges; i++)
			first[making->edges.at[i].from + 2]++;
		for (uint32_t v = 0; v < n; v++)
			first[v + 2] += first[v + 1];
		for (uint32_t i = 0; i < edges; i++)
			target[first[making->edges.at[i].from + 1]++] = making->edges.at[i].to;
		err = dt_scc(alloc, n, first, target, component, &components);
	}
	give_back(alloc, first, (size_t)n + 2);
	give_back(alloc, target, (size_t)edges + 1);
	return err;
}

/* The number of a vertex in the graph, which is given one when it has none. */
static uint32_t number(struct dt_order_graph *graph, const struct making *making, const uint32_t *component,
                       uint32_t *numbers, uint32_t vertex)
{
	if (!numbers[vertex]) {
		graph->locks[graph->lock_count] = (struct dt_order_lock){
		    .lock = making->tree.vertices.at[vertex].lock, .component = component[vertex]};
		numbers[vertex] = ++graph->lock_count;
	}
	return numbers[vertex] - 1;
}

static enum dt_err finish(struct dt_order_graph *graph, struct making *making)
{
	struct dt_alloc *alloc = making->alloc;
	uint32_t n = making->tree.vertices.count;
	uint32_t *component = zeroed(alloc, (size_t)n + 1), *numbers = zeroed(alloc, (size_t)n + 1);
	enum dt_err err = component && numbers ? find_components(making, component) : DT_ERR_NOMEM;

	graph->locks = err || !n ? NULL : alloc->resize(alloc, NULL, 0, n * sizeof *graph->locks);
	if (!err && n && !graph->locks)
		err = DT_ERR_NOMEM;
	if (!err) {
		graph->lock_room = n;
		graph->edges = making->edges.at; /* taken over */
		graph->edge_count = making->edges.count;
		graph->edge_room = making->edges.room;
		making->edges.at = NULL;
		graph->reduced = making->reduced;
	}
	for (uint32_t i = 0; i < graph->edge_count; i++) {
		struct dt_order_edge *edge = &graph->edges[i];
		edge->on_cycle = component[edge->from] && component[edge->from] == component[edge->to];
		edge->from = number(graph, making, component, numbers, edge->from);
		edge->to = number(graph, making, component, numbers, edge->to);
	}
	give_back(alloc, component, (size_t)n + 1);
	give_back(alloc, numbers, (size_t)n + 1);
	return err;
}

enum dt_err dt_order_graph_init(struct dt_order_graph *graph, struct dt_facts *facts, struct dt_alloc *alloc)
{
	struct making making = {.alloc = alloc};

	*graph = (struct dt_order_graph){.alloc = alloc};
	dt_tree_init(&making.tree, facts, alloc, false);
	enum dt_err err = add_all(&making);
	err = err ? err : finish(graph, &making);
	dt_vec_fini(&making.edges, alloc);
	dt_pairmap_fini(&making.edge_of, alloc);
	dt_tree_fini(&making.tree);
	return err;
}

void dt_order_graph_fini(struct dt_order_graph *graph)
{
	struct dt_alloc *alloc = graph->alloc;

	if (graph->locks)
		alloc->resize(alloc, graph->locks, graph->lock_room * sizeof *graph->locks, 0);
	if (graph->edges)
		alloc->resize(alloc, graph->edges, graph->edge_room * sizeof *graph->edges, 0);
	*graph = (struct dt_order_graph){.alloc = alloc};
}
