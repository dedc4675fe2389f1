/* draft.c: the lists grow while a finding is put together, so events point into them only at the end. */
#include "draft.h"

void dt_draft_init(struct dt_draft *draft, struct dt_tree *tree)
{
	memset(draft, 0, sizeof *draft);
	draft->tree = tree;
}

void dt_draft_fini(struct dt_draft *draft)
{
	dt_vec_fini(&draft->locks, draft->tree->alloc);
	dt_vec_fini(&draft->events, draft->tree->alloc);
	dt_vec_fini(&draft->holding, draft->tree->alloc);
}

void dt_draft_begin(struct dt_draft *draft)
{
	draft->locks.count = draft->events.count = draft->holding.count = 0;
	draft->out_of_memory = false;
}

void dt_draft_add_lock(struct dt_draft *draft, uint32_t lock)
{
	uint32_t *at = dt_vec_push(&draft->locks, draft->tree->alloc);

	if (at)
		*at = lock;
	else
		draft->out_of_memory = true;
}

static void add_holding(struct dt_draft *draft, struct dt_event *event, uint32_t node)
{
	struct dt_tree *tree = draft->tree;

	if (!dt_tree_held(tree, node))
		return;
	for (uint32_t i = 0; i < tree->held.count; i++) {
		uint32_t *at = dt_vec_push(&draft->holding, tree->alloc);
		if (!at) {
			draft->out_of_memory = true;
			return;
		}
		*at = tree->vertices.at[tree->held.at[i].vertex].lock;
		event->holding_count++;
	}
}

void dt_draft_add_event(struct dt_draft *draft, enum dt_event_kind kind, uint32_t thread, uint32_t node)
{
	const struct dt_acq *acq = dt_facts_acq(draft->tree->facts, draft->tree->nodes.at[node].acq);
	struct dt_event *event = dt_vec_push(&draft->events, draft->tree->alloc);

	if (!event) {
		draft->out_of_memory = true;
		return;
	}
	*event = (struct dt_event){
	    .kind = kind,
	    .thread = thread,
	    .lock = acq->op == DT_OP_JOIN ? 0 : acq->lock,
	    .other_thread = acq->op == DT_OP_JOIN ? acq->lock : 0,
	    .stack = acq->stack,
	    .op = acq->op,
	    .mode = acq->mode,
	    .wait = acq->wait,
	};
	if (kind != DT_EVENT_HOLD)
		add_holding(draft, event, node);
}

enum dt_err dt_draft_emit(struct dt_draft *draft, struct dt_finding *finding, dt_finding_sink *sink,
                          void *context)
{
	uint32_t held = 0;

	if (draft->out_of_memory)
		return DT_ERR_NOMEM;
	for (uint32_t i = 0; i < draft->events.count; i++) {
		struct dt_event *event = &draft->events.at[i];
		event->holding = event->holding_count ? draft->holding.at + held : NULL;
		held += event->holding_count;
	}
	finding->locks = draft->locks.at;
	finding->lock_count = draft->locks.count;
	finding->events = draft->events.at;
	finding->event_count = draft->events.count;
	sink(context, finding);
	return DT_OK;
}
