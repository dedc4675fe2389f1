/* edges.c: edges keep many exemplars (see "Lessons from the field" in the design: a tool that keeps
 * the first only, and filters it, loses the bug between two later threads). What differs in nothing
 * that a filter looks at is merged: equal held sets and waits are one variant (the merging of
 * equivalent dependencies of Cai and Chan, Magiclock, 2014). */
#include "edges.h"

#include "sort.h"

static const struct dt_list empty = {DT_NONE, DT_NONE};

void dt_places_init(struct dt_places *places, struct dt_alloc *alloc)
{
	memset(places, 0, sizeof *places);
	places->alloc = alloc;
}

void dt_places_fini(struct dt_places *places)
{
	dt_vec_fini(&places->all, places->alloc);
	dt_pairmap_fini(&places->by_hash, places->alloc);
}

static bool same_place(const struct dt_place *a, const struct dt_place *b)
{
	return a->hold_stack == b->hold_stack && a->want_stack == b->want_stack &&
	       a->from_lock == b->from_lock && a->to_lock == b->to_lock && a->hold_shared == b->hold_shared &&
	       a->want_shared == b->want_shared;
}

/* The number of the place, or DT_NONE with the key under which to add it. */
static uint32_t find_place(const struct dt_places *places, const struct dt_place *wanted, uint64_t *key)
{
	uint64_t hash = dt_hash64(dt_pair(wanted->hold_stack, wanted->want_stack));
	hash = dt_hash64(hash ^ dt_pair(wanted->from_lock, wanted->to_lock));
	hash = dt_hash64(hash + (wanted->hold_shared * 2u + wanted->want_shared)) | 1;

	const uint32_t *found;
	for (; (found = dt_pairmap_find(&places->by_hash, hash)); hash += 2)
		if (same_place(&places->all.at[*found], wanted))
			return *found;
	*key = hash;
	return DT_NONE;
}

static enum dt_err intern_place(struct dt_places *places, const struct dt_place *wanted, uint32_t *place)
{
	uint64_t key = 0;

	*place = find_place(places, wanted, &key);
	if (*place != DT_NONE)
		return DT_OK;
	struct dt_place *p = dt_vec_push(&places->all, places->alloc);
	if (!p)
		return DT_ERR_NOMEM;
	*p = *wanted;
	*place = places->all.count - 1;
	if (dt_pairmap_add(&places->by_hash, places->alloc, key, *place))
		return DT_OK;
	places->all.count--;
	return DT_ERR_NOMEM;
}

static struct dt_place make_place(const struct dt_tree *tree, const struct dt_held *held, uint32_t node)
{
	const struct dt_node *want = &tree->nodes.at[node], *hold = &tree->nodes.at[held->node];
	struct dt_place place = {
	    .hold_stack = hold->stack,
	    .want_stack = want->stack,
	    .hold_shared = held->shared,
	    .want_shared = want->mode == DT_MODE_SHARED,
	};

	if (!place.hold_stack || !place.want_stack) {
		place.from_lock = tree->vertices.at[hold->vertex].lock;
		place.to_lock = tree->vertices.at[want->vertex].lock;
	}
	return place;
}

void dt_edges_init(struct dt_edges *edges, struct dt_tree *tree, struct dt_places *places)
{
	memset(edges, 0, sizeof *edges);
	edges->tree = tree;
	edges->places = places;
	edges->alloc = edges->sets.alloc = tree->alloc;
}

void dt_edges_fini(struct dt_edges *edges)
{
	struct dt_alloc *alloc = edges->alloc;

	dt_vec_fini(&edges->edges, alloc);
	dt_vec_fini(&edges->spots, alloc);
	dt_vec_fini(&edges->variants, alloc);
	dt_vec_fini(&edges->sights, alloc);
	dt_vec_fini(&edges->makers, alloc);
	dt_vec_fini(&edges->out, alloc);
	dt_vec_fini(&edges->in, alloc);
	dt_vec_fini(&edges->sets.items, alloc);
	dt_vec_fini(&edges->sets.starts, alloc);
	dt_pairmap_fini(&edges->sets.by_hash, alloc);
	dt_pairmap_fini(&edges->edge_of, alloc);
	dt_pairmap_fini(&edges->spot_of, alloc);
	dt_pairmap_fini(&edges->variant_of, alloc);
	dt_pairmap_fini(&edges->sight_of, alloc);
	dt_pairmap_fini(&edges->made_by, alloc);
}

uint32_t dt_edges_find(const struct dt_edges *edges, uint32_t from, uint32_t to)
{
	const uint32_t *found = dt_pairmap_find(&edges->edge_of, dt_pair(from + 1, to + 1));

	return found ? *found : DT_NONE;
}

static uint32_t find_spot(const struct dt_edges *edges, uint32_t edge, uint32_t place)
{
	const uint32_t *found = dt_pairmap_find(&edges->spot_of, dt_pair(edge + 1, place));

	return found ? *found : DT_NONE;
}

uint32_t dt_edges_spot_of(const struct dt_edges *edges, uint32_t edge, const struct dt_held *held,
                          uint32_t node)
{
	struct dt_place place = make_place(edges->tree, held, node);
	uint64_t key;
	uint32_t number = find_place(edges->places, &place, &key);

	return number == DT_NONE ? DT_NONE : find_spot(edges, edge, number);
}

bool dt_edges_made_by(const struct dt_edges *edges, uint32_t edge, uint32_t thread)
{
	return dt_pairmap_find(&edges->made_by, dt_pair(edge + 1, thread));
}

static bool same_set(const struct dt_sets *sets, uint32_t set, const uint32_t *items, uint32_t count)
{
	uint32_t start = sets->starts.at[set];

	return sets->starts.at[set + 1] - start == count &&
	       (!count || memcmp(sets->items.at + start, items, count * sizeof *items) == 0);
}

/* `items` is sorted. */
static enum dt_err intern_set(struct dt_sets *sets, const uint32_t *items, uint32_t count, uint32_t *set)
{
	uint64_t hash = count;

	for (uint32_t i = 0; i < count; i++)
		hash = dt_hash64(hash * 31 + items[i]);
	hash |= 1;
	const uint32_t *found;
	for (; (found = dt_pairmap_find(&sets->by_hash, hash)); hash += 2) {
		*set = *found;
		if (same_set(sets, *set, items, count))
			return DT_OK;
	}
	if (!sets->starts.count && !dt_vec_push(&sets->starts, sets->alloc))
		return DT_ERR_NOMEM;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *item = dt_vec_push(&sets->items, sets->alloc);
		if (!item)
			return DT_ERR_NOMEM;
		*item = items[i];
	}
	uint32_t *end = dt_vec_push(&sets->starts, sets->alloc);
	if (!end)
		return DT_ERR_NOMEM;
	*end = sets->items.count;
	*set = sets->starts.count - 2;
	return dt_pairmap_add(&sets->by_hash, sets->alloc, hash, *set) ? DT_OK : DT_ERR_NOMEM;
}

uint32_t dt_sets_gate(const struct dt_sets *sets, uint32_t a, uint32_t b)
{
	uint32_t i = sets->starts.at[a], j = sets->starts.at[b];

	while (i < sets->starts.at[a + 1] && j < sets->starts.at[b + 1]) {
		uint32_t x = sets->items.at[i], y = sets->items.at[j];
		if (x >> 1 == y >> 1) {
			if (!(x & y & 1))
				return x >> 1;
			i++;
			j++;
		} else if (x < y) {
			i++;
		} else {
			j++;
		}
	}
	return DT_NONE;
}

bool dt_sets_has(const struct dt_sets *sets, uint32_t set, uint32_t vertex)
{
	for (uint32_t i = sets->starts.at[set]; i < sets->starts.at[set + 1]; i++)
		if (sets->items.at[i] >> 1 == vertex)
			return true;
	return false;
}

/* What both sets hold for sure: shared where one of them holds shared. */
static enum dt_err meet(struct dt_sets *sets, uint32_t a, uint32_t b, uint32_t *scratch, uint32_t *set)
{
	uint32_t i = sets->starts.at[a], j = sets->starts.at[b], count = 0;

	while (i < sets->starts.at[a + 1] && j < sets->starts.at[b + 1]) {
		uint32_t x = sets->items.at[i], y = sets->items.at[j];
		if (x >> 1 == y >> 1)
			scratch[count++] = x | y;
		i += x >> 1 <= y >> 1;
		j += y >> 1 <= x >> 1;
	}
	return intern_set(sets, scratch, count, set);
}

/* The locks of tree->held that can be gates, as a set. The chain is free for scratch. */
static enum dt_err held_set(struct dt_edges *edges, uint32_t *set)
{
	struct dt_tree *tree = edges->tree;

	tree->chain.count = 0;
	for (uint32_t i = 0; i < tree->held.count; i++) {
		const struct dt_held *held = &tree->held.at[i];
		const struct dt_vertex *v = &tree->vertices.at[held->vertex];
		bool counts = !v->is_class && v->units > 1;
		if (!v->excludes && !counts)
			continue;
		uint32_t *item = dt_vec_push(&tree->chain, tree->alloc);
		if (!item)
			return DT_ERR_NOMEM;
		/* Several units let several in, as sharing does. */
		*item = held->vertex * 2 + (held->shared || counts);
	}
	dt_sort_u32(tree->chain.at, tree->chain.count);
	return intern_set(&edges->sets, tree->chain.at, tree->chain.count, set);
}

/* Append number `item` to the list; `next` is the place of the former last one's link. */
#define APPEND(list, vec, item, link)                                                                        \
	do {                                                                                                 \
		if ((list)->first == DT_NONE)                                                                \
			(list)->first = (item);                                                              \
		else                                                                                         \
			(vec)->at[(list)->last].link = (item);                                               \
		(list)->last = (item);                                                                       \
	} while (0)

static bool grow_lists(struct dt_edges *edges)
{
	while (edges->out.count < edges->tree->vertices.count) {
		struct dt_list *out = dt_vec_push(&edges->out, edges->alloc);
		struct dt_list *in = out ? dt_vec_push(&edges->in, edges->alloc) : NULL;
		if (!in) {
			edges->out.count -= out != NULL;
			return false;
		}
		*out = *in = empty;
	}
	return true;
}

static enum dt_err intern_edge(struct dt_edges *edges, uint32_t from, uint32_t to, uint32_t *edge)
{
	*edge = dt_edges_find(edges, from, to);
	if (*edge != DT_NONE)
		return DT_OK;
	struct dt_edge *e = grow_lists(edges) ? dt_vec_push(&edges->edges, edges->alloc) : NULL;
	if (!e)
		return DT_ERR_NOMEM;
	*edge = edges->edges.count - 1;
	if (!dt_pairmap_add(&edges->edge_of, edges->alloc, dt_pair(from + 1, to + 1), *edge)) {
		edges->edges.count--;
		return DT_ERR_NOMEM;
	}
	*e = (struct dt_edge){.from = from,
	                      .to = to,
	                      .spots = empty,
	                      .makers = empty,
	                      .next_out = DT_NONE,
	                      .next_in = DT_NONE,
	                      .common_set = DT_NONE};
	APPEND(&edges->out.at[from], &edges->edges, *edge, next_out);
	APPEND(&edges->in.at[to], &edges->edges, *edge, next_in);
	return DT_OK;
}

static enum dt_err intern_spot(struct dt_edges *edges, uint32_t edge, uint32_t place, uint32_t *spot)
{
	*spot = find_spot(edges, edge, place);
	if (*spot != DT_NONE)
		return DT_OK;
	struct dt_spot *s = dt_vec_push(&edges->spots, edges->alloc);
	if (!s)
		return DT_ERR_NOMEM;
	*spot = edges->spots.count - 1;
	if (!dt_pairmap_add(&edges->spot_of, edges->alloc, dt_pair(edge + 1, place), *spot)) {
		edges->spots.count--;
		return DT_ERR_NOMEM;
	}
	*s = (struct dt_spot){edge, place, DT_NONE, empty};
	APPEND(&edges->edges.at[edge].spots, &edges->spots, *spot, next);
	edges->edges.at[edge].spot_count++;
	return DT_OK;
}

static enum dt_err intern_variant(struct dt_edges *edges, uint32_t spot, uint32_t set, uint8_t wait,
                                  uint32_t *variant)
{
	uint64_t key = dt_pair(spot + 1, set * 4 + wait);
	const uint32_t *found = dt_pairmap_find(&edges->variant_of, key);

	if (found) {
		*variant = *found;
		return DT_OK;
	}
	struct dt_variant *v = dt_vec_push(&edges->variants, edges->alloc);
	if (!v)
		return DT_ERR_NOMEM;
	*variant = edges->variants.count - 1;
	if (!dt_pairmap_add(&edges->variant_of, edges->alloc, key, *variant)) {
		edges->variants.count--;
		return DT_ERR_NOMEM;
	}
	*v = (struct dt_variant){spot, set, DT_NONE, wait, empty};
	APPEND(&edges->spots.at[spot].variants, &edges->variants, *variant, next);
	return DT_OK;
}

static enum dt_err add_sight(struct dt_edges *edges, uint32_t variant, const struct dt_sight *sight)
{
	uint64_t key = dt_pair(variant + 1, sight->segment);

	if (dt_pairmap_find(&edges->sight_of, key))
		return DT_OK;
	struct dt_sight *s = dt_vec_push(&edges->sights, edges->alloc);
	if (!s)
		return DT_ERR_NOMEM;
	*s = *sight;
	uint32_t number = edges->sights.count - 1;
	if (!dt_pairmap_add(&edges->sight_of, edges->alloc, key, number)) {
		edges->sights.count--;
		return DT_ERR_NOMEM;
	}
	APPEND(&edges->variants.at[variant].sights, &edges->sights, number, next);
	return DT_OK;
}

/* What is true of the edge whatever variant one looks at. */
static enum dt_err widen_edge(struct dt_edges *edges, uint32_t edge, uint32_t variant)
{
	struct dt_edge *e = &edges->edges.at[edge];
	const struct dt_variant *v = &edges->variants.at[variant];

	e->blocks |= v->wait != DT_WAIT_TRY;
	e->blocks_forever |= v->wait == DT_WAIT_FOREVER;
	if (e->common_set == DT_NONE) {
		e->common_set = v->set;
		return DT_OK;
	}
	/* A set is no longer than the chain that held_set has just filled. */
	return meet(&edges->sets, e->common_set, v->set, edges->tree->chain.at, &e->common_set);
}

static enum dt_err note_maker(struct dt_edges *edges, uint32_t edge, uint32_t thread)
{
	struct dt_edge *e = &edges->edges.at[edge];
	uint64_t key = dt_pair(edge + 1, thread);

	if (dt_pairmap_find(&edges->made_by, key))
		return DT_OK;
	struct dt_maker *maker = dt_vec_push(&edges->makers, edges->alloc);
	if (!maker)
		return DT_ERR_NOMEM;
	uint32_t number = edges->makers.count - 1;
	if (!dt_pairmap_add(&edges->made_by, edges->alloc, key, number)) {
		edges->makers.count--;
		return DT_ERR_NOMEM;
	}
	*maker = (struct dt_maker){thread, DT_NONE};
	e->only_thread = e->makers.first == DT_NONE ? thread : 0;
	APPEND(&e->makers, &edges->makers, number, next);
	return DT_OK;
}

/* The sight at the edge from one lock held to the lock that `node` wants. */
static enum dt_err add_at_edge(struct dt_edges *edges, uint32_t node, const struct dt_held *held,
                               uint32_t set, const struct dt_segment *segment)
{
	const struct dt_node *want = &edges->tree->nodes.at[node];
	struct dt_place place = make_place(edges->tree, held, node);
	uint32_t number, edge, spot, variant, variants = edges->variants.count;

	enum dt_err err = intern_place(edges->places, &place, &number);
	err = err ? err : intern_edge(edges, held->vertex, want->vertex, &edge);
	err = err ? err : intern_spot(edges, edge, number, &spot);
	err = err ? err : intern_variant(edges, spot, set, want->wait, &variant);
	if (!err && variants != edges->variants.count)
		err = widen_edge(edges, edge, variant);
	struct dt_sight sight = {segment->thread, segment->id, DT_NONE, node, held->node};
	err = err ? err : add_sight(edges, variant, &sight);
	return err ? err : note_maker(edges, edge, segment->thread);
}

enum dt_err dt_edges_add(struct dt_edges *edges, uint32_t node, uint32_t segment_id, dt_edge_keep *keep,
                         void *context)
{
	const struct dt_segment *segment = dt_facts_segment(edges->tree->facts, segment_id);
	uint32_t set, to = edges->tree->nodes.at[node].vertex;

	if (!segment || !segment->thread)
		return DT_OK;
	enum dt_err err = held_set(edges, &set);
	for (uint32_t i = 0; !err && i < edges->tree->held.count; i++) {
		const struct dt_held *held = &edges->tree->held.at[i];
		if (held->vertex != to && keep(context, held->vertex, to))
			err = add_at_edge(edges, node, held, set, segment);
	}
	return err;
}
