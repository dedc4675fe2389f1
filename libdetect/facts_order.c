/* facts_order.c: must-happen-before, by walking back over the predecessors.
 *
 * Two segments of one thread are in order as their numbers are. For others, a walk from the later one
 * marks all that happens before it, as far back as the earlier one asked for; predecessors have
 * smaller numbers, so nothing beyond can lead there. Who compares many sightings asks for the same
 * few segments again and again: the marks of the last walks are kept, and a walk that has to go
 * further back than before goes twice as far, so that all walks together cost what the longest does. */
#include "facts_tables.h"

static bool has_bit(const struct dt_reach *reach, uint32_t index)
{
	return index / 64 < reach->words && (reach->bits[index / 64] >> index % 64 & 1);
}

static bool make_bits(struct dt_reach *reach, struct dt_alloc *alloc, uint32_t segments)
{
	uint32_t words = segments / 64 + 1, more = reach->words ? reach->words : 4;

	if (words <= reach->words)
		return true;
	while (more < words)
		more *= 2;
	uint64_t *bits = alloc->resize(alloc, reach->bits, reach->words * sizeof *bits, more * sizeof *bits);
	if (!bits)
		return false;
	*reach = (struct dt_reach){.bits = bits, .words = more};
	return true;
}

bool dt_order_reserve(struct dt_order *order, struct dt_alloc *alloc, uint32_t segments)
{
	uint32_t more = order->walk_room ? order->walk_room : 64;

	if (!make_bits(&order->spare, alloc, segments))
		return false;
	if (segments <= order->walk_room)
		return true;
	while (more < segments)
		more *= 2;
	uint32_t *walk =
	    alloc->resize(alloc, order->walk, order->walk_room * sizeof *walk, more * sizeof *walk);
	if (!walk)
		return false;
	order->walk = walk;
	order->walk_room = more;
	return true;
}

void dt_order_fini(struct dt_order *order, struct dt_alloc *alloc)
{
	for (int i = 0; i < DT_REACHES; i++)
		if (order->recent[i].bits)
			alloc->resize(alloc, order->recent[i].bits,
			              order->recent[i].words * sizeof *order->recent[i].bits, 0);
	if (order->spare.bits)
		alloc->resize(alloc, order->spare.bits, order->spare.words * sizeof *order->spare.bits, 0);
	if (order->walk)
		alloc->resize(alloc, order->walk, order->walk_room * sizeof *order->walk, 0);
}

void dt_order_changed(struct dt_order *order, uint32_t segment)
{
	if (segment > order->highest)
		return;
	for (int i = 0; i < DT_REACHES; i++)
		if (order->recent[i].to >= segment)
			order->recent[i].to = 0;
}

/* Mark what happens before segment `to`, whose index is `start`, down to the id `low`. */
static void walk_back(struct dt_facts *f, struct dt_reach *reach, uint32_t to, uint32_t start, uint32_t low)
{
	uint32_t *walk = f->before.walk, count = 0;

	memset(reach->bits, 0, reach->words * sizeof *reach->bits);
	reach->to = to;
	reach->low = low;
	walk[count++] = start;
	while (count) {
		const struct dt_segment *s = &f->segments.at[walk[--count]];
		for (uint32_t i = 0; i < s->pred_count; i++) {
			uint32_t index = dt_idmap_find(&f->segment_ids, s->preds[i]) - 1;
			if (s->preds[i] < low || index == UINT32_MAX || has_bit(reach, index))
				continue;
			reach->bits[index / 64] |= (uint64_t)1 << index % 64;
			walk[count++] = index;
		}
	}
}

static const struct dt_reach *reach_from(struct dt_facts *f, uint32_t to, uint32_t start, uint32_t low)
{
	struct dt_order *order = &f->before;
	struct dt_reach *reach = &order->recent[to % DT_REACHES];

	if (reach->to == to && reach->low <= low)
		return reach;
	uint32_t span = to - low;
	if (reach->to == to && (to - reach->low) * 2 > span)
		span = (to - reach->low) * 2;
	if (!make_bits(reach, f->alloc, f->segments.count))
		reach = &order->spare;
	else if (to > order->highest)
		order->highest = to;
	walk_back(f, reach, to, start, span < to ? to - span : 1);
	return reach;
}

bool dt_facts_happens_before(struct dt_facts *f, uint32_t a, uint32_t b)
{
	if (a >= b)
		return a && a == b;
	uint32_t from = dt_idmap_find(&f->segment_ids, a), to = dt_idmap_find(&f->segment_ids, b);
	if (!from || !to || f->segments.count > f->before.walk_room)
		return false;
	if (f->segments.at[from - 1].thread &&
	    f->segments.at[from - 1].thread == f->segments.at[to - 1].thread)
		return true;
	return has_bit(reach_from(f, b, to - 1, a), from - 1);
}
