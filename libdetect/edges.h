/* edges.h: the edges of the lock-order graph that lie on cycles, with all that was seen of each.
 *
 *   edge      held lock -> wanted lock
 *   place     the code that makes an edge: where the held lock was taken, where the other is wanted,
 *             both modes. Two edges of one place are the same bug. Where a stack is not known,
 *             the locks themselves are part of the place.
 *   spot      one place at one edge
 *   variant   at one spot: the whole held set, and how long the call may wait
 *   sight     one thread's segment in which that happened: the exemplars
 *
 * All are numbers from 0 in order of adding, linked in that order; DT_NONE ends a list.
 * Memory: the table's own. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DT_EDGES_H
#define DT_EDGES_H

#include "pairmap.h"
#include "tree.h"

struct dt_place {
	uint32_t hold_stack, want_stack;
	uint32_t from_lock, to_lock; /* 0 when the stacks say enough */
	uint8_t hold_shared, want_shared;
};

/* Places keep their numbers for the life of a check: what was said is remembered by them. */
struct dt_places {
	struct dt_alloc *alloc;
	DT_VEC(struct dt_place) all;
	struct dt_pairmap by_hash;
};

struct dt_edge {
	uint32_t from, to; /* vertices of the tree */
	struct dt_list spots;
	uint32_t spot_count;
	uint32_t next_out, next_in;  /* other edges of `from`, of `to` */
	struct dt_list makers;       /* the threads that made it, */
	uint32_t only_thread;        /* and which when it is one; else 0 */
	uint32_t common_set;         /* what every variant holds, in dt_sets */
	bool blocks, blocks_forever; /* some call at it can wait; without a time limit */
};

struct dt_spot {
	uint32_t edge, place, next;
	struct dt_list variants;
};

struct dt_variant {
	uint32_t spot, set, next; /* set: in dt_sets */
	uint8_t wait;             /* enum dt_wait */
	struct dt_list sights;
};

struct dt_sight {
	uint32_t thread, segment, next;
	uint32_t node, hold_node; /* the acquisition and that of the held lock */
};

struct dt_maker {
	uint32_t thread, next;
};

/* Sets of held locks that can be gates, interned: equal sets have equal numbers. A semaphore of several
 * units is in them as if shared. */
struct dt_sets {
	struct dt_alloc *alloc;
	DT_VEC(uint32_t) items;  /* vertex * 2 + shared, ascending within a set */
	DT_VEC(uint32_t) starts; /* set i: items[starts[i]] .. items[starts[i + 1]] */
	struct dt_pairmap by_hash;
};

struct dt_edges {
	struct dt_tree *tree;
	struct dt_places *places;
	struct dt_alloc *alloc;
	struct dt_sets sets;
	DT_VEC(struct dt_edge) edges;
	DT_VEC(struct dt_spot) spots;
	DT_VEC(struct dt_variant) variants;
	DT_VEC(struct dt_sight) sights;
	DT_VEC(struct dt_maker) makers;
	DT_VEC(struct dt_list) out, in; /* by vertex: its edges */
	struct dt_pairmap edge_of, spot_of, variant_of, sight_of, made_by;
};

void dt_places_init(struct dt_places *places, struct dt_alloc *alloc);
void dt_places_fini(struct dt_places *places);

void dt_edges_init(struct dt_edges *edges, struct dt_tree *tree, struct dt_places *places);
void dt_edges_fini(struct dt_edges *edges);

/* Add what `node` was seen doing in `segment`: one sight at the edge from each lock that `keep`
 * answers true for (the vertices held and wanted). To be called behind dt_tree_held(node).
 * A segment of no thread is not a sighting. */
typedef bool dt_edge_keep(void *context, uint32_t from, uint32_t to);
enum dt_err dt_edges_add(struct dt_edges *edges, uint32_t node, uint32_t segment, dt_edge_keep *keep,
                         void *context);

/* DT_NONE when there is none. */
uint32_t dt_edges_find(const struct dt_edges *edges, uint32_t from, uint32_t to);
/* The spot at `edge` of what `node` does while holding `held`. */
uint32_t dt_edges_spot_of(const struct dt_edges *edges, uint32_t edge, const struct dt_held *held,
                          uint32_t node);
bool dt_edges_made_by(const struct dt_edges *edges, uint32_t edge, uint32_t thread);

/* The first lock (vertex) that both sets hold and that at least one holds exclusively; DT_NONE. */
uint32_t dt_sets_gate(const struct dt_sets *sets, uint32_t a, uint32_t b);
bool dt_sets_has(const struct dt_sets *sets, uint32_t set, uint32_t vertex);

/* The first edge out of and into a vertex; go on by next_out and next_in. */
static inline uint32_t dt_edges_out(const struct dt_edges *edges, uint32_t vertex)
{
	return vertex < edges->out.count ? edges->out.at[vertex].first : DT_NONE;
}

static inline uint32_t dt_edges_in(const struct dt_edges *edges, uint32_t vertex)
{
	return vertex < edges->in.count ? edges->in.at[vertex].first : DT_NONE;
}

#endif
