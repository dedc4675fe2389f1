/* join_order.h: one numbering of all members' segments in which what happens before has the smaller number.
 *
 * Memory: the order's own, freed by dt_join_order_fini. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DT_JOIN_ORDER_H
#define DT_JOIN_ORDER_H

#include <detect/facts.h>

#include "vec.h"

/* A segment of a member, or a meeting point that stands for a member's beginning or end. */
struct dt_join_node {
	uint32_t member, segment; /* segment: index in the member's table; UINT32_MAX: a meeting point */
	uint32_t number;          /* from 1; 0: not numbered yet */
	uint32_t first, count;    /* what comes after it: targets[first ..] */
	uint32_t missing;         /* predecessors without a number */
};

struct dt_join_order {
	struct dt_facts *const *members;
	uint32_t member_count;
	struct dt_alloc *alloc;
	DT_VEC(uint32_t)
	bases; /* by member: its first node; behind its segments come its begin and its end */
	DT_VEC(struct dt_join_node) nodes;
	DT_VEC(uint64_t) edges; /* node before << 32 | node after */
	DT_VEC(uint32_t) targets;
	DT_VEC(uint32_t) sorted; /* nodes by number */
};

enum dt_err dt_join_order_init(struct dt_join_order *order, struct dt_facts *const *members, uint32_t count,
                               struct dt_alloc *alloc);
void dt_join_order_fini(struct dt_join_order *order);

/* The number of a member's segment, by its id there; 0: none. */
uint32_t dt_join_order_number(const struct dt_join_order *order, uint32_t member, uint32_t segment);

#endif
