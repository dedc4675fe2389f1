/* cycles.h: the simple cycles of locks through one edge, by length.
 *
 * Memory: the enumerator's own scratch. Threads: one at a time; the callbacks must not add edges.
 * Failure: DT_ERR_NOMEM, or what the visitor answers, at once. */
#ifndef DT_CYCLES_H
#define DT_CYCLES_H

#include "edges.h"

/* What may be part of the cycles wanted. */
struct dt_cycle_wish {
	bool (*allows)(void *context, uint32_t edge);
	bool (*agree)(void *context, uint32_t a, uint32_t b); /* may both be in one cycle? */
	void *context;
};

typedef enum dt_err dt_cycle_visit(void *context, const uint32_t *edges, uint32_t length);

struct dt_cycles {
	const struct dt_edges *edges;
	struct dt_alloc *alloc;
	DT_VEC(uint32_t) distance; /* by vertex: edges to the start of the edge in question */
	DT_VEC(uint32_t) met;      /* by vertex: the search that set `distance`; */
	DT_VEC(uint32_t) on_path;  /* and whether the path is there now */
	DT_VEC(uint32_t) queue;
	DT_VEC(uint32_t) path; /* edges */
	uint32_t search;
	uint64_t steps;     /* taken so far */
	uint64_t last_step; /* stop there; */
	bool bounded;       /* a search was */
};

void dt_cycles_init(struct dt_cycles *cycles, const struct dt_edges *edges, uint64_t max_steps);
void dt_cycles_fini(struct dt_cycles *cycles);

/* Length of a shortest allowed cycle through `edge`, at most `max`; 0 when there is none. The cycle is
 * left in cycles->path, beginning with `edge`. O(edges). */
enum dt_err dt_cycles_shortest(struct dt_cycles *cycles, uint32_t edge, uint32_t max,
                               const struct dt_cycle_wish *wish, uint32_t *length);

/* Visit every allowed cycle of exactly `length` edges through `edge`, which comes first. Each step of
 * the search leads to a vertex from which the start can still be reached in time, though perhaps not
 * past the path: the worst case is exponential. */
enum dt_err dt_cycles_through(struct dt_cycles *cycles, uint32_t edge, uint32_t length,
                              const struct dt_cycle_wish *wish, dt_cycle_visit *visit, void *context);

#endif
