/* filters.h: could these edges deadlock together? Chooses exemplars for the edges of one cycle of
 * locks and says how far towards a deadlock the best choice gets.
 *
 * The verdicts, from nothing to a finding. Each asks for what those before it ask, and one thing
 * more; the first that can't be reached gives the reason:
 *
 *   DT_FELL_READERS      next asks: modes that exclude each other at every lock
 *   DT_FELL_TRY          next asks: every call waits
 *   DT_FELL_GATE         next asks: no two edges hold a common lock that excludes
 *   DT_FELL_THREADS      next asks: as many threads as edges, each at one
 *   DT_FELL_ORDERED      next asks: no two edges kept apart by must-happen-before
 *   DT_FELL_SAME_THREAD  a note: one thread made every edge (it is not asked for order: it is always
 *                        in order with itself)
 *   DT_FELL_TIMED        a note: all that a deadlock needs, but that a call gives up after a time
 *   DT_FELL_NOT          all of it
 *
 * Memory: the chooser's own scratch. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DT_FILTERS_H
#define DT_FILTERS_H

#include "edges.h"

enum dt_fell {
	DT_FELL_READERS,
	DT_FELL_TRY,
	DT_FELL_GATE,
	DT_FELL_THREADS,
	DT_FELL_ORDERED,
	DT_FELL_SAME_THREAD,
	DT_FELL_TIMED,
	DT_FELL_NOT,
};

struct dt_choice {
	uint32_t edge, spot, variant, sight;
};

struct dt_chooser {
	struct dt_edges *edges;
	struct dt_facts *facts;
	struct dt_alloc *alloc;
	DT_VEC(struct dt_choice) chosen; /* the best choice of the last dt_choose */
	uint64_t steps;                  /* taken so far */
	uint64_t max_steps;              /* for one question; */
	bool bounded;                    /* a question was given up there */
};

void dt_chooser_init(struct dt_chooser *chooser, struct dt_edges *edges, struct dt_facts *facts,
                     uint64_t max_steps);
void dt_chooser_fini(struct dt_chooser *chooser);

/* The cycle edge[0] .. edge[length - 1]: what each wants, the next one holds. spot[i] is the place to
 * take at edge i, or DT_NONE: any. Verdicts below `least` are of no use to the caller and are not
 * looked for: then *verdict is below `least` and nothing is chosen. */
enum dt_err dt_choose(struct dt_chooser *chooser, const uint32_t *edge, const uint32_t *spot, uint32_t length,
                      enum dt_fell least, enum dt_fell *verdict);

/* Of the last choice, and what made it fall. */
bool dt_chosen_by_policy(const struct dt_chooser *chooser,
                         uint32_t *vertex); /* only a waiting writer blocks it */
uint32_t dt_chosen_gate(const struct dt_chooser *chooser);
uint32_t dt_chosen_readers(const struct dt_chooser *chooser); /* the lock held and wanted shared */

#endif
