/* live.c: a cycle that is new has the new acquisition on it, because every cycle needs an edge or an
 * exemplar that was not there before. The growing graph (graph.h) tells for next to nothing that
 * there is none, which is the answer nearly always. */
#include "live.h"

/* Of each search for one sighting, which the program waits for: what is left undone, finish does. */
enum { FEED_STEPS = 20000 };

enum dt_err dt_live_open(struct dt_live *live, struct dt_tree *tree, struct dt_places *places,
                         struct dt_bugs *bugs, struct dt_facts *facts,
                         const struct dt_tangle_options *options, dt_finding_sink *sink, void *context)
{
	memset(live, 0, sizeof *live);
	live->tree = tree;
	live->bugs = bugs;
	live->alloc = tree->alloc;
	live->options = *options;
	live->sink = sink;
	live->context = context;
	dt_edges_init(&live->edges, tree, places);
	dt_chooser_init(&live->chooser, &live->edges, facts, FEED_STEPS);
	dt_cycles_init(&live->cycles, &live->edges, 0);
	return dt_graph_new(&live->graph, live->alloc);
}

void dt_live_close(struct dt_live *live)
{
	dt_graph_free(live->graph);
	dt_edges_fini(&live->edges);
	dt_chooser_fini(&live->chooser);
	dt_cycles_fini(&live->cycles);
	dt_vec_fini(&live->wanting, live->alloc);
	dt_vec_fini(&live->next_wanting, live->alloc);
	dt_vec_fini(&live->known, live->alloc);
	dt_vec_fini(&live->hot, live->alloc);
	dt_vec_fini(&live->covered, live->alloc);
	dt_vec_fini(&live->fixed, live->alloc);
}

/* As many entries as the tree has nodes and vertices. */
static enum dt_err make_room(struct dt_live *live)
{
	uint32_t vertex;

	while (dt_graph_vertex_count(live->graph) < live->tree->vertices.count) {
		enum dt_err err = dt_graph_add_vertex(live->graph, &vertex);
		if (err)
			return err;
	}
	while (live->wanting.count < live->tree->vertices.count) {
		struct dt_list *list = dt_vec_push(&live->wanting, live->alloc);
		if (!list)
			return DT_ERR_NOMEM;
		*list = (struct dt_list){DT_NONE, DT_NONE};
	}
	while (live->hot.count < live->tree->vertices.count)
		if (!dt_vec_push(&live->hot, live->alloc))
			return DT_ERR_NOMEM;
	while (live->next_wanting.count < live->tree->nodes.count) {
		uint32_t *next = dt_vec_push(&live->next_wanting, live->alloc);
		if (!next)
			return DT_ERR_NOMEM;
		*next = DT_NONE;
	}
	while (live->known.count < live->tree->nodes.count)
		if (!dt_vec_push(&live->known, live->alloc))
			return DT_ERR_NOMEM;
	return DT_OK;
}

static bool keep_all(void *context, uint32_t from, uint32_t to)
{
	(void)context;
	(void)from;
	(void)to;
	return true;
}

/* Every sighting of the nodes that want `vertex`. */
static enum dt_err heat(struct dt_live *live, uint32_t vertex)
{
	enum dt_err err = DT_OK;

	if (live->hot.at[vertex])
		return DT_OK;
	live->hot.at[vertex] = true;
	for (uint32_t n = live->wanting.at[vertex].first; !err && n != DT_NONE;
	     n = live->next_wanting.at[n]) {
		const struct dt_acq *acq = dt_facts_acq(live->tree->facts, live->tree->nodes.at[n].acq);
		if (!dt_tree_held(live->tree, n))
			continue;
		for (uint32_t i = 0; !err && i < acq->segment_count; i++)
			err = dt_edges_add(&live->edges, n, acq->segments[i], keep_all, NULL);
	}
	return err;
}

static enum dt_err heat_component(struct dt_live *live, uint32_t vertex)
{
	uint32_t member = vertex;
	enum dt_err err;

	do {
		err = heat(live, member);
		member = dt_graph_next_member(live->graph, member);
	} while (!err && member != vertex);
	return err;
}

static void add_wanting(struct dt_live *live, uint32_t vertex, uint32_t node)
{
	struct dt_list *list = &live->wanting.at[vertex];

	if (list->first == DT_NONE)
		list->first = node;
	else
		live->next_wanting.at[list->last] = node;
	list->last = node;
}

/* Put the node's edges into the graph. tree->held is the node's. */
static enum dt_err learn(struct dt_live *live, uint32_t node)
{
	uint32_t to = live->tree->nodes.at[node].vertex;
	bool closed, any = false;

	add_wanting(live, to, node);
	for (uint32_t i = 0; i < live->tree->held.count; i++) {
		enum dt_err err = dt_graph_add_edge(live->graph, live->tree->held.at[i].vertex, to, &closed);
		if (err)
			return err;
		any |= closed;
	}
	live->known.at[node] = true;
	return any ? heat_component(live, to) : DT_OK;
}

static bool adds_cover(struct dt_live *live)
{
	while (live->covered.count < live->edges.places->all.count)
		if (!dt_vec_push(&live->covered, live->alloc))
			return false;
	for (uint32_t i = 0; i < live->chooser.chosen.count; i++)
		if (!live->covered.at[live->edges.spots.at[live->chooser.chosen.at[i].spot].place])
			return true;
	return false;
}

/* Could these edges, with the places in live->fixed, deadlock? Then say so, if it is news. */
static enum dt_err examine(struct dt_live *live, const uint32_t *edge, uint32_t length)
{
	enum dt_fell verdict;
	struct dt_bug *bug;
	enum dt_err err = dt_choose(&live->chooser, edge, live->fixed.at, length, DT_FELL_NOT, &verdict);

	if (err || !live->chooser.chosen.count)
		return err;
	bool more = adds_cover(live);
	if (length > 2 && !more)
		return DT_OK;
	live->cycle++;
	err = dt_bugs_record(live->bugs, &live->chooser, verdict, live->cycle, &bug);
	if (err || !dt_bug_is_finding(bug))
		return err;
	for (uint32_t i = 0; i < length && more; i++)
		live->covered.at[live->edges.spots.at[live->chooser.chosen.at[i].spot].place] = true;
	return bug->said ? DT_OK : dt_bug_say(live->bugs, bug, live->sink, live->context);
}

static enum dt_err fix_first(struct dt_live *live, uint32_t length, uint32_t spot)
{
	live->fixed.count = 0;
	while (live->fixed.count < length) {
		uint32_t *at = dt_vec_push(&live->fixed, live->alloc);
		if (!at)
			return DT_ERR_NOMEM;
		*at = live->fixed.count == 1 ? spot : DT_NONE;
	}
	return DT_OK;
}

static enum dt_err examine_pair(struct dt_live *live, uint32_t edge, uint32_t spot)
{
	const struct dt_edge *e = &live->edges.edges.at[edge];
	uint32_t pair[2] = {edge, dt_edges_find(&live->edges, e->to, e->from)};
	enum dt_err err = fix_first(live, 2, spot);

	if (pair[1] == DT_NONE)
		return err;
	for (uint32_t s = live->edges.edges.at[pair[1]].spots.first; !err && s != DT_NONE;
	     s = live->edges.spots.at[s].next) {
		live->fixed.at[1] = s;
		err = examine(live, pair, 2);
	}
	return err;
}

static bool can_wait(void *context, uint32_t edge)
{
	struct dt_live *live = context;

	return live->edges.edges.at[edge].blocks_forever;
}

static bool can_meet(void *context, uint32_t a, uint32_t b)
{
	struct dt_live *live = context;
	const struct dt_edge *x = &live->edges.edges.at[a], *y = &live->edges.edges.at[b];

	return !(x->only_thread && x->only_thread == y->only_thread) &&
	       dt_sets_gate(&live->edges.sets, x->common_set, y->common_set) == DT_NONE;
}

static enum dt_err visit(void *context, const uint32_t *edge, uint32_t length)
{
	return examine(context, edge, length);
}

/* Longer cycles through the edge, the shortest first. */
static enum dt_err examine_longer(struct dt_live *live, uint32_t edge, uint32_t spot)
{
	struct dt_cycle_wish wish = {can_wait, can_meet, live};
	enum dt_err err = DT_OK;

	live->cycles.last_step = live->cycles.steps + FEED_STEPS;
	if (live->cycles.last_step > live->options.max_search_steps)
		live->cycles.last_step = live->options.max_search_steps;
	for (uint32_t length = 3; !err && length <= live->options.max_cycle_length; length++) {
		if (live->cycles.steps >= live->cycles.last_step)
			return DT_OK;
		err = fix_first(live, length, spot);
		err = err ? err : dt_cycles_through(&live->cycles, edge, length, &wish, visit, live);
	}
	return err;
}

/* All cycles through what `node` does, one edge for each lock it holds. */
static enum dt_err examine_node(struct dt_live *live, uint32_t node)
{
	uint32_t to = live->tree->nodes.at[node].vertex, component = dt_graph_component(live->graph, to);
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < live->tree->held.count; i++) {
		struct dt_held held = live->tree->held.at[i];
		if (held.vertex == to || dt_graph_component(live->graph, held.vertex) != component)
			continue;
		uint32_t edge = dt_edges_find(&live->edges, held.vertex, to);
		uint32_t spot = edge == DT_NONE ? DT_NONE : dt_edges_spot_of(&live->edges, edge, &held, node);
		if (spot == DT_NONE)
			continue;
		err = examine_pair(live, edge, spot);
		err = err ? err : examine_longer(live, edge, spot);
		/* Saying a finding has walked up from other nodes. */
		if (!dt_tree_held(live->tree, node))
			return err;
	}
	return err;
}

enum dt_err dt_live_feed(struct dt_live *live, uint32_t acq, uint32_t segment)
{
	uint32_t node;
	enum dt_err err = dt_tree_add(live->tree, acq, &node);

	err = err ? err : make_room(live);
	if (err || node == DT_NONE || !dt_tree_held(live->tree, node) || !dt_tree_wants(live->tree, node))
		return err;
	uint32_t to = live->tree->nodes.at[node].vertex;
	if (!live->known.at[node]) {
		err = learn(live, node);
		if (err || !dt_tree_held(live->tree, node))
			return err;
	}
	if (dt_graph_component_size(live->graph, to) == 1)
		return DT_OK;
	err = dt_edges_add(&live->edges, node, segment, keep_all, NULL);
	return err ? err : examine_node(live, node);
}
