/* facts_settle.c: references, when both ends are there.
 *
 * An acquisition is settled when all its ancestors and their locks are there. Parents are walked up to
 * what is settled, once to see whether that is reached and once to set the depths; a walk marks what
 * it met, so that no acquisition is walked over twice, whatever a hostile log says. */
#include "facts_tables.h"

/* In place of a depth, while settling. */
enum { ON_WALK = UINT32_MAX, HANGING = UINT32_MAX - 1 };

/* How far up the walk from `index` got, and the depth it ended under; false: it leads nowhere. */
static bool walk_up(struct dt_facts *f, uint32_t index, uint32_t *length, uint32_t *base)
{
	*length = 0;
	for (uint32_t at = index;; at--) {
		struct dt_acq *a = &f->acqs.at[at];
		if (a->depth) {
			*base = a->depth;
			return a->depth < HANGING;
		}
		a->depth = ON_WALK;
		++*length;
		if (a->op != DT_OP_JOIN && !dt_idmap_find(&f->lock_ids, a->lock))
			return false;
		*base = 0;
		if (!a->parent)
			return true;
		at = dt_idmap_find(&f->acq_ids, a->parent);
		if (!at)
			return false;
	}
}

static void settle_one(struct dt_facts *f, uint32_t index)
{
	uint32_t length, base, at = index;
	bool reached = walk_up(f, index, &length, &base);

	for (uint32_t i = 0; i < length; i++) {
		struct dt_acq *a = &f->acqs.at[at];
		a->depth = reached ? base + length - i : HANGING;
		at = dt_idmap_find(&f->acq_ids, a->parent) - 1;
	}
}

static bool is_hanging(struct dt_facts *f, uint32_t index)
{
	struct dt_acq *a = &f->acqs.at[index];

	if (a->depth != HANGING)
		return false;
	a->depth = 0;
	return true;
}

static enum dt_err settle_acquisitions(struct dt_facts *f)
{
	uint32_t kept = 0, from = f->looked_at;
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; i < f->unsettled.count; i++)
		settle_one(f, f->unsettled.at[i]);
	for (uint32_t i = from; i < f->acqs.count; i++)
		settle_one(f, i);
	for (uint32_t i = 0; i < f->unsettled.count; i++)
		if (is_hanging(f, f->unsettled.at[i]))
			f->unsettled.at[kept++] = f->unsettled.at[i];
	f->unsettled.count = kept;
	for (uint32_t i = from; i < f->acqs.count; i++) {
		if (!is_hanging(f, i))
			continue;
		uint32_t *unsettled = err ? NULL : dt_vec_push(&f->unsettled, f->alloc);
		if (unsettled)
			*unsettled = i;
		else
			err = DT_ERR_NOMEM;
	}
	/* Without memory all of them are looked at again the next time. */
	if (err)
		f->unsettled.count = kept;
	else
		f->looked_at = f->acqs.count;
	return err;
}

enum dt_err dt_facts_settle(struct dt_facts *f)
{
	uint32_t kept = 0;
	enum dt_err err = DT_OK;

	if (!dt_order_reserve(&f->before, f->alloc, f->segments.count))
		return DT_ERR_NOMEM;
	for (uint32_t i = 0; i < f->pending.count; i++) {
		bool done = false;
		if (!err)
			err = dt_facts_apply(f, &f->pending.at[i], &done);
		if (err || !done)
			f->pending.at[kept++] = f->pending.at[i];
	}
	f->pending.count = kept;
	enum dt_err settled = settle_acquisitions(f);
	return err ? err : settled;
}
