/* draft.h: puts a finding together: its locks, its events and what was held at each.
 *
 * Memory: the draft's own; the finding that dt_draft_emit passes on points into it and is good
 * during that call. Threads: one at a time. Failure: DT_ERR_NOMEM, from dt_draft_emit, for all
 * that was added since dt_draft_begin. */
#ifndef DT_DRAFT_H
#define DT_DRAFT_H

#include <detect/check.h>

#include "tree.h"

struct dt_draft {
	struct dt_tree *tree;
	DT_VEC(uint32_t) locks;
	DT_VEC(struct dt_event) events;
	DT_VEC(uint32_t) holding; /* of all events, one behind the other */
	bool out_of_memory;
};

void dt_draft_init(struct dt_draft *draft, struct dt_tree *tree);
void dt_draft_fini(struct dt_draft *draft);
void dt_draft_begin(struct dt_draft *draft);

/* A lock of the finding, by its id. */
void dt_draft_add_lock(struct dt_draft *draft, uint32_t lock);

/* What `thread` did at `node`. A HOLD says only that; the others list what was held. */
void dt_draft_add_event(struct dt_draft *draft, enum dt_event_kind kind, uint32_t thread, uint32_t node);

/* Fill in the draft's parts of `finding` and hand it to the sink. */
enum dt_err dt_draft_emit(struct dt_draft *draft, struct dt_finding *finding, dt_finding_sink *sink,
                          void *context);

#endif
