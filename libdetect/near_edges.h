/* near_edges.h: the edges of a process's lock-order graph, as far as its components need them.
 *
 * Vertices are the facts' locks by their number (dt_facts_lock_number): most are on no cycle, and of those
 * nothing else is made. Memory: the caller's allocator's; dt_near_edges_fini gives it back, after a failure
 * too. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DT_NEAR_EDGES_H
#define DT_NEAR_EDGES_H

#include <detect/facts.h>

struct dt_near_edges {
	struct dt_alloc *alloc;
	uint32_t *first, *target; /* the edges of lock v: target[first[v]] .. target[first[v + 1]] */
	uint32_t locks, edges;
	bool bounded; /* some acquisition is under too many locks to be looked at */
};

/* Of settled facts. */
enum dt_err dt_near_edges_find(struct dt_near_edges *near, const struct dt_facts *facts,
                               struct dt_alloc *alloc);
void dt_near_edges_fini(struct dt_near_edges *near);

#endif
