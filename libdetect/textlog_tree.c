/* textlog_tree.c: held stacks and the acquisition tree, as preload/note.c keeps them. A held entry's
 * node is looked up when something happens above it, so what was held for nothing leaves no trace. */
#include "textlog_run.h"

static bool same(const struct dt_rec_acq *a, const struct dt_rec_acq *b)
{
	return a->parent == b->parent && a->lock == b->lock && a->stack == b->stack && a->op == b->op &&
	       a->mode == b->mode && a->wait == b->wait && a->handler == b->handler &&
	       a->open_signals == b->open_signals;
}

/* The node that `wanted` describes, found or added. */
static enum dt_err get(struct dt_run *run, const struct dt_rec_acq *wanted, uint32_t *acq)
{
	uint32_t *first = wanted->parent ? &run->acqs.at[wanted->parent - 1].first_child : &run->first_acq;

	for (*acq = *first; *acq; *acq = run->acqs.at[*acq - 1].next)
		if (same(&run->acqs.at[*acq - 1].rec, wanted))
			return DT_OK;
	uint32_t next = *first;
	struct dt_run_acq *fresh = dt_vec_push(&run->acqs, run->alloc);
	if (!fresh)
		return DT_ERR_NOMEM;
	*acq = run->acqs.count;
	fresh->rec = *wanted;
	fresh->rec.id = *acq;
	fresh->next = next;
	first = wanted->parent ? &run->acqs.at[wanted->parent - 1].first_child : &run->first_acq;
	*first = *acq;
	enum dt_err err = dt_run_use_stack(run, wanted->stack);
	return err ? err : dt_log_buffer_add(&run->log, &fresh->rec, sizeof fresh->rec, NULL, 0);
}

static struct dt_rec_acq describe(uint32_t parent, enum dt_op op, uint32_t id, struct dt_run_how how,
                                  uint32_t stack)
{
	return (struct dt_rec_acq){
	    .head = {.type = DT_REC_ACQ},
	    .parent = parent,
	    .lock = id,
	    .stack = stack,
	    .op = (uint8_t)op,
	    .mode = (uint8_t)how.mode,
	    .wait = (uint8_t)how.wait,
	};
}

static void set_signals(struct dt_rec_acq *acq, const struct dt_run_held *held)
{
	acq->handler = (uint8_t)held->handler;
	acq->open_signals = held->open_signals;
}

enum dt_err dt_run_top(struct dt_run *run, uint32_t thread, uint32_t *acq)
{
	const struct dt_run_thread *t = &run->threads.at[thread];
	uint32_t at = t->held.count;

	while (at && !t->held.at[at - 1].acq)
		at--;
	*acq = at ? t->held.at[at - 1].acq : 0;
	for (; at < t->held.count; at++) {
		struct dt_run_held *held = &t->held.at[at];
		struct dt_rec_acq wanted = describe(*acq, held->rebased ? DT_OP_HOLD : DT_OP_ACQUIRE,
		                                    held->id, held->how, held->stack);
		if (!held->rebased)
			set_signals(&wanted, held);
		enum dt_err err = get(run, &wanted, acq);
		if (err)
			return err;
		held->acq = *acq;
	}
	return DT_OK;
}

static enum dt_err see(struct dt_run *run, uint32_t acq, uint32_t segment)
{
	struct dt_rec_sighting rec = {.head = {.type = DT_REC_SIGHTING}, .acq = acq, .segment = segment};

	if (dt_pairmap_find(&run->sighted, dt_pair(acq, segment)))
		return DT_OK;
	if (!dt_pairmap_add(&run->sighted, run->alloc, dt_pair(acq, segment), 1))
		return DT_ERR_NOMEM;
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

enum dt_err dt_run_act(struct dt_run *run, uint32_t thread, enum dt_op op, uint32_t id, struct dt_run_how how,
                       uint32_t stack, uint32_t *acq)
{
	uint32_t parent;
	enum dt_err err = dt_run_top(run, thread, &parent);

	if (err)
		return err;
	struct dt_rec_acq wanted = describe(parent, op, id, how, stack);
	struct dt_run_held now = {.handler = 0};
	err = op == DT_OP_ACQUIRE ? dt_run_signals(run, thread, &now) : DT_OK;
	set_signals(&wanted, &now);
	err = err ? err : get(run, &wanted, acq);
	return err ? err : see(run, *acq, run->threads.at[thread].segment);
}

uint32_t dt_run_held(const struct dt_run *run, uint32_t thread, uint32_t object)
{
	const struct dt_run_thread *t = &run->threads.at[thread];

	for (uint32_t i = t->held.count; i-- > 0;)
		if (t->held.at[i].object == object)
			return i;
	return DT_NOBODY;
}

enum dt_err dt_run_push(struct dt_run *run, uint32_t thread, const struct dt_run_held *held)
{
	struct dt_run_held *top = dt_vec_push(&run->threads.at[thread].held, run->alloc);

	if (!top)
		return DT_ERR_NOMEM;
	*top = *held;
	return DT_OK;
}

/* What lies above was not acquired under what lies below now. */
void dt_run_remove(struct dt_run *run, uint32_t thread, uint32_t index)
{
	struct dt_run_thread *t = &run->threads.at[thread];

	for (uint32_t i = index + 1; i < t->held.count; i++) {
		t->held.at[i - 1] = t->held.at[i];
		t->held.at[i - 1].rebased = true;
		t->held.at[i - 1].acq = 0;
	}
	t->held.count--;
}
