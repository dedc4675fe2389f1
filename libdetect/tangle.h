/* tangle.h: which cycles of one tangle (a strongly connected component of locks) a person is shown.
 *
 * - Every pair of locks taken in both orders is looked at, and at each pair every combination of
 *   places (above DT_COMBINATIONS_MAX of them: every place in its best combination).
 * - Longer cycles come shortest first, up to max_cycle_length. One is shown only when it has a place
 *   that no cycle shown before it has, in this tangle and with no lesser verdict: what is but a
 *   longer way round through the same code is the same bug. So each place that is in some cycle is shown in a
 * cycle of the least length possible, and a tangle shows no more long cycles than it has places.
 * - Where only cycles longer than max_cycle_length are left for a place, a shortest one is looked at.
 *
 * The search of longer cycles takes at most max_search_steps; `bounded` tells when they ran out.
 *
 * Memory: the search's own. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DT_TANGLE_H
#define DT_TANGLE_H

#include "bugs.h"
#include "cycles.h"

enum { DT_COMBINATIONS_MAX = 64 };

struct dt_tangle_options {
	uint32_t max_cycle_length;
	uint64_t max_search_steps;
	bool want_filtered;
};

struct dt_cover {
	uint32_t tangle; /* the tangle that `rank` is about */
	uint8_t rank;
};

struct dt_edge_state {
	uint32_t done;     /* the pass and length in which all its cycles were looked at */
	uint32_t shortest; /* allowed cycle through it in this pass, 0: none */
	bool examined;     /* was in some cycle looked at */
};

struct dt_tangle {
	struct dt_tangle_options options;
	struct dt_edges *edges;
	struct dt_bugs *bugs;
	struct dt_alloc *alloc;
	struct dt_chooser chooser;
	struct dt_cycles cycles;
	DT_VEC(struct dt_cover) covers;      /* by place */
	DT_VEC(struct dt_edge_state) states; /* by edge */
	DT_VEC(uint32_t) threads;            /* of the tangle */
	DT_VEC(uint32_t) fixed;              /* spots asked for */
	DT_VEC(uint32_t) shown;              /* by spot: the last pair with a finding at it */
	uint32_t tangle, sweep;              /* serial numbers */
	uint32_t cycle;                      /* serial number of the cycle of locks looked at */
	struct {                             /* the pass that runs */
		uint8_t need;                /* cycles are wanted through places that have less */
		uint32_t thread;             /* made by this one alone; 0: by any */
		enum dt_fell least;
	} pass;
	bool bounded;
};

void dt_tangle_init(struct dt_tangle *tangle, struct dt_edges *edges, struct dt_bugs *bugs,
                    struct dt_facts *facts, const struct dt_tangle_options *options);
void dt_tangle_fini(struct dt_tangle *tangle);

/* Record the bugs of the tangle that has these edges, all of them. */
enum dt_err dt_tangle_search(struct dt_tangle *tangle, const uint32_t *edge, uint32_t count);

#endif
