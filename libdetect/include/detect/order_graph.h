/* order_graph.h: the lock-order graph of a process, for people to look at: an edge from each lock held
 * to the lock wanted, and which edges lie on cycles.
 *
 * It is built anew from settled facts; the checks have their own edges (edges.h), with every exemplar
 * but of those on cycles only. Memory: from the allocator; dt_order_graph_fini gives it back.
 * Threads: one at a time. Failure: DT_ERR_NOMEM, with an empty graph. */
#ifndef DETECT_ORDER_GRAPH_H
#define DETECT_ORDER_GRAPH_H

#include <detect/facts.h>

struct dt_order_lock {
	uint32_t lock;      /* id in the facts */
	uint32_t component; /* equal for locks on common cycles, from 1; 0: on none */
};

struct dt_order_edge {
	uint32_t from, to;               /* indices of locks */
	uint32_t hold_stack, want_stack; /* an exemplar's; one that waits where there is one */
	uint32_t thread;                 /* the exemplar's; 0: not known */
	uint32_t acquisitions;           /* distinct ones that make it */
	bool many_threads;               /* others made it too */
	bool direct; /* `from` was the innermost lock held; else it follows from other edges */
	bool on_cycle;
	bool blocks; /* some acquisition can wait: not all are tries */
};

struct dt_order_graph {
	struct dt_order_lock *locks; /* only those with edges */
	struct dt_order_edge *edges; /* in order of arrival, each pair once */
	uint32_t lock_count, edge_count;
	uint32_t lock_room, edge_room; /* of the arrays */
	bool reduced; /* of acquisitions under very many locks only the direct edges are here */
	struct dt_alloc *alloc;
};

/* O(distinct acquisitions x locks held at each, of which more than 64 count as one). */
enum dt_err dt_order_graph_init(struct dt_order_graph *graph, struct dt_facts *facts, struct dt_alloc *alloc);
void dt_order_graph_fini(struct dt_order_graph *graph);

#endif
