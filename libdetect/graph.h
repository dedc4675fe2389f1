/* graph.h: a growing directed graph that knows at every moment which vertices lie on cycles.
 *
 * Vertices that reach each other form a component; the graph keeps the components exactly and a
 * topological order of them, so that adding an edge tells at once whether it closed a cycle, also
 * when older cycles are already there. Edges are never removed.
 *
 * Memory: the graph's own, from the allocator; dt_graph_free gives it back. Threads: one at a time.
 * Failure: DT_ERR_NOMEM leaves the graph as it was. Vertices are numbers from 0, in order of
 * adding; to pass another one is the caller's error. */
#ifndef DT_GRAPH_H
#define DT_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include <detect/alloc.h>
#include <detect/err.h>

struct dt_graph;

enum dt_err dt_graph_new(struct dt_graph **out, struct dt_alloc *alloc);
void dt_graph_free(struct dt_graph *graph);

/* O(1) amortised. */
enum dt_err dt_graph_add_vertex(struct dt_graph *graph, uint32_t *vertex);
uint32_t dt_graph_vertex_count(const struct dt_graph *graph);

/* Adds from -> to. *closed: this edge joined components, that is, it closed the first cycle through
 * both its ends. An edge inside one component lies on a cycle too, and so does none between two.
 * An edge that is there already and a self-loop change nothing.
 * O(1) when the order agrees with the edge; else a search of the components ordered between. */
enum dt_err dt_graph_add_edge(struct dt_graph *graph, uint32_t from, uint32_t to, bool *closed);

/* The component's name: equal for two vertices exactly when they lie on a common cycle. It changes
 * when components join. O(1). */
uint32_t dt_graph_component(const struct dt_graph *graph, uint32_t vertex);
uint32_t dt_graph_component_size(const struct dt_graph *graph, uint32_t vertex);

/* The members of a component form a ring: the one after `vertex` (itself when alone). */
uint32_t dt_graph_next_member(const struct dt_graph *graph, uint32_t vertex);

/* The invariants: every edge lies in a component or goes up in the order; rings, sizes and names of
 * components agree; no two components share a place in the order. For tests; O(vertices + edges). */
bool dt_graph_check(const struct dt_graph *graph);

#endif
