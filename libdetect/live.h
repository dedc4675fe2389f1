/* live.h: lock-order cycles at the moment they close, for the live host.
 *
 * Each acquisition seen for the first time adds its edges to a growing graph; only where that graph
 * has cycles are edges kept with their exemplars, and only the cycles through what was just seen are
 * looked at. It says findings only: notes can still become findings, and are left for the end.
 *
 * Memory: its own. Threads: one at a time. Failure: DT_ERR_NOMEM; what was said stays said. */
#ifndef DT_LIVE_H
#define DT_LIVE_H

#include "graph.h"
#include "tangle.h"

struct dt_live {
	struct dt_tree *tree;
	struct dt_bugs *bugs;
	struct dt_alloc *alloc;
	struct dt_graph *graph; /* its vertices are the tree's */
	struct dt_edges edges;  /* to locks on cycles */
	struct dt_chooser chooser;
	struct dt_cycles cycles;
	DT_VEC(struct dt_list) wanting; /* by vertex: the nodes that want it, */
	DT_VEC(uint32_t) next_wanting;  /* by node: the next of them */
	DT_VEC(bool) known;             /* by node: its edges are in the graph */
	DT_VEC(bool) hot;               /* by vertex: on a cycle; its nodes are in `edges` */
	DT_VEC(bool) covered;           /* by place: in a cycle that was said */
	DT_VEC(uint32_t) fixed;
	struct dt_tangle_options options;
	uint32_t cycle;
	dt_finding_sink *sink;
	void *context;
};

/* The steps of the options are for all longer cycles together. */
enum dt_err dt_live_open(struct dt_live *live, struct dt_tree *tree, struct dt_places *places,
                         struct dt_bugs *bugs, struct dt_facts *facts,
                         const struct dt_tangle_options *options, dt_finding_sink *sink, void *context);
void dt_live_close(struct dt_live *live);

enum dt_err dt_live_feed(struct dt_live *live, uint32_t acq, uint32_t segment);

#endif
