/* join_order.c: a topological order (Kahn, Communications of the ACM 5, 1962) of the members' segments and of
 * one point for the beginning and one for the end of each member.
 *
 * Within a member, numbers grow with the order already; orders between members come from what parents noted
 * of forks and waits, which a hostile log can make circular: then those are left out. */
#include "join_order.h"

#include "facts_tables.h"
#include "pairmap.h"
#include "sort.h"

static uint32_t begin_of(const struct dt_join_order *order, uint32_t member)
{
	return order->bases.at[member] + order->members[member]->segments.count;
}

static uint32_t end_of(const struct dt_join_order *order, uint32_t member)
{
	return begin_of(order, member) + 1;
}

static enum dt_err add_nodes(struct dt_join_order *order)
{
	for (uint32_t m = 0; m < order->member_count; m++) {
		uint32_t count = order->members[m]->segments.count;
		uint32_t *base = dt_vec_push(&order->bases, order->alloc);
		if (!base)
			return DT_ERR_NOMEM;
		*base = order->nodes.count;
		if (order->nodes.count + (uint64_t)count + 2 > DT_ID_MAX)
			return DT_ERR_TOO_LARGE;
		for (uint32_t s = 0; s < count + 2; s++) {
			struct dt_join_node *node = dt_vec_push(&order->nodes, order->alloc);
			if (!node)
				return DT_ERR_NOMEM;
			node->member = m;
			node->segment = s < count ? s : UINT32_MAX;
		}
	}
	return DT_OK;
}

static enum dt_err add_edge(struct dt_join_order *order, uint32_t before, uint32_t after)
{
	uint64_t *edge = dt_vec_push(&order->edges, order->alloc);

	if (!edge)
		return DT_ERR_NOMEM;
	*edge = dt_pair(before, after);
	return DT_OK;
}

static uint32_t node_of(const struct dt_join_order *order, uint32_t member, uint32_t segment)
{
	uint32_t at = dt_idmap_find(&order->members[member]->segment_ids, segment);

	return at ? order->bases.at[member] + at - 1 : UINT32_MAX;
}

/* Segments of one thread together, by id: UINT32_MAX threads are none. */
static int compare_segments(const void *left, const void *right, void *context)
{
	const struct dt_segment *segments = context;
	const struct dt_segment *a = &segments[*(const uint32_t *)left],
	                        *b = &segments[*(const uint32_t *)right];

	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

/* A thread's segments follow each other also where no record says so. */
static enum dt_err add_threads(struct dt_join_order *order, uint32_t member)
{
	struct dt_facts *facts = order->members[member];
	uint32_t count = facts->segments.count, base = order->bases.at[member];
	size_t bytes = ((size_t)count + 1) * sizeof(uint32_t);
	uint32_t *sorted = order->alloc->resize(order->alloc, NULL, 0, bytes);
	enum dt_err err = sorted ? DT_OK : DT_ERR_NOMEM;

	for (uint32_t s = 0; !err && s < count; s++)
		sorted[s] = s;
	if (!err)
		dt_sort(sorted, count, sizeof *sorted, compare_segments, facts->segments.at);
	for (uint32_t i = 1; !err && i < count; i++) {
		uint32_t thread = facts->segments.at[sorted[i]].thread;
		if (thread && thread == facts->segments.at[sorted[i - 1]].thread)
			err = add_edge(order, base + sorted[i - 1], base + sorted[i]);
	}
	if (sorted)
		order->alloc->resize(order->alloc, sorted, bytes, 0);
	return err;
}

static enum dt_err add_member(struct dt_join_order *order, uint32_t member)
{
	const struct dt_facts *facts = order->members[member];
	enum dt_err err = DT_OK;

	for (uint32_t s = 0; !err && s < facts->segments.count; s++) {
		const struct dt_segment *segment = &facts->segments.at[s];
		uint32_t node = order->bases.at[member] + s;
		err = add_edge(order, begin_of(order, member), node);
		err = err ? err : add_edge(order, node, end_of(order, member));
		for (uint32_t p = 0; !err && p < segment->pred_count; p++) {
			uint32_t pred = node_of(order, member, segment->preds[p]);
			if (pred != UINT32_MAX)
				err = add_edge(order, pred, node);
		}
	}
	return err ? err : add_threads(order, member);
}

/* What one record of a parent says about the members that are that child: the programs that it was. */
static enum dt_err add_kin(struct dt_join_order *order, uint32_t member, const struct dt_kin *kin)
{
	uint32_t node = node_of(order, member, kin->segment);
	enum dt_err err = DT_OK;

	for (uint32_t m = 0; !err && node != UINT32_MAX && m < order->member_count; m++) {
		const struct dt_process *process = &order->members[m]->process;
		if (m == member || process->pid != kin->pid)
			continue;
		if (kin->reaped && process->start_ns <= kin->time_ns)
			err = add_edge(order, end_of(order, m), node);
		else if (!kin->reaped && process->start_ns >= kin->time_ns)
			err = add_edge(order, node, begin_of(order, m));
	}
	return err;
}

/* A process becomes another program: all of the first is before all of the next. */
static enum dt_err add_exec(struct dt_join_order *order, uint32_t member)
{
	for (uint32_t m = member + 1; m < order->member_count; m++)
		if (order->members[m]->process.pid == order->members[member]->process.pid)
			return add_edge(order, end_of(order, member), begin_of(order, m));
	return DT_OK;
}

static enum dt_err add_family(struct dt_join_order *order)
{
	enum dt_err err = DT_OK;

	for (uint32_t m = 0; !err && m < order->member_count; m++) {
		const struct dt_facts *facts = order->members[m];
		for (uint32_t k = 0; !err && k < facts->kin.count; k++)
			err = add_kin(order, m, &facts->kin.at[k]);
		err = err ? err : add_exec(order, m);
	}
	return err;
}

/* Sort the edges by the node they start from. */
static enum dt_err lay_out(struct dt_join_order *order)
{
	uint32_t first = 0;

	for (uint32_t n = 0; n < order->nodes.count; n++)
		order->nodes.at[n].count = order->nodes.at[n].missing = order->nodes.at[n].number = 0;
	for (uint32_t e = 0; e < order->edges.count; e++) {
		order->nodes.at[order->edges.at[e] >> 32].count++;
		order->nodes.at[(uint32_t)order->edges.at[e]].missing++;
	}
	for (uint32_t n = 0; n < order->nodes.count; n++) {
		order->nodes.at[n].first = first;
		first += order->nodes.at[n].count;
		order->nodes.at[n].count = 0;
	}
	while (order->targets.count < order->edges.count)
		if (!dt_vec_push(&order->targets, order->alloc))
			return DT_ERR_NOMEM;
	for (uint32_t e = 0; e < order->edges.count; e++) {
		struct dt_join_node *from = &order->nodes.at[order->edges.at[e] >> 32];
		order->targets.at[from->first + from->count++] = (uint32_t)order->edges.at[e];
	}
	return DT_OK;
}

static enum dt_err push_ready(struct dt_join_order *order, uint32_t node)
{
	uint32_t *at = dt_vec_push(&order->sorted, order->alloc);

	if (!at)
		return DT_ERR_NOMEM;
	*at = node;
	order->nodes.at[node].number = order->sorted.count;
	return DT_OK;
}

/* Number all that can be. */
static enum dt_err number(struct dt_join_order *order)
{
	enum dt_err err = lay_out(order);

	order->sorted.count = 0;
	for (uint32_t n = 0; !err && n < order->nodes.count; n++)
		if (!order->nodes.at[n].missing)
			err = push_ready(order, n);
	for (uint32_t i = 0; !err && i < order->sorted.count; i++) {
		const struct dt_join_node *node = &order->nodes.at[order->sorted.at[i]];
		for (uint32_t t = node->first; !err && t < node->first + node->count; t++)
			if (--order->nodes.at[order->targets.at[t]].missing == 0)
				err = push_ready(order, order->targets.at[t]);
	}
	return err;
}

enum dt_err dt_join_order_init(struct dt_join_order *order, struct dt_facts *const *members, uint32_t count,
                               struct dt_alloc *alloc)
{
	enum dt_err err;

	*order = (struct dt_join_order){.members = members, .member_count = count, .alloc = alloc};
	err = add_nodes(order);
	for (uint32_t m = 0; !err && m < count; m++)
		err = add_member(order, m);
	uint32_t within = order->edges.count;
	err = err ? err : add_family(order);
	err = err ? err : number(order);
	if (!err && order->sorted.count < order->nodes.count) {
		order->edges.count = within;
		err = number(order);
	}
	if (err)
		dt_join_order_fini(order);
	return err;
}

void dt_join_order_fini(struct dt_join_order *order)
{
	dt_vec_fini(&order->bases, order->alloc);
	dt_vec_fini(&order->nodes, order->alloc);
	dt_vec_fini(&order->edges, order->alloc);
	dt_vec_fini(&order->targets, order->alloc);
	dt_vec_fini(&order->sorted, order->alloc);
	*order = (struct dt_join_order){0};
}

uint32_t dt_join_order_number(const struct dt_join_order *order, uint32_t member, uint32_t segment)
{
	uint32_t node = node_of(order, member, segment);

	return node == UINT32_MAX ? 0 : order->nodes.at[node].number;
}
