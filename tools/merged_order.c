/* Nodes are the begin and the end of each role and the segments. Kahn's algorithm numbers them; when only
 * circles are left, the node with the smallest number of the caller's goes first and the orders that it
 * waited for are dropped: contradictory runs order nothing. */
#include "merged_order.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "hash.h"
#include "merge_ids.h"

struct segment {
	uint32_t thread, role, phase;
};

struct edge {
	uint32_t from, to, next;
};

struct merged_order {
	uint32_t role_count, phase_count, phase_room, segment_count, segment_room;
	struct arena *arena;
	char *relations; /* phase_count rows of role_count: 0, 'b', 'a', 'd' */
	char *joined;    /* by role of the group: a row of bits for before, after, during; */
	uint32_t *touched;
	uint32_t touched_count; /* the roles that have one in this group */
	struct segment *segments;
	struct merge_id *completed, *segment_ids;
	struct edge *edges;
	uint32_t edge_count, edge_room;
	uint32_t *number, *first; /* by node */
};

enum { BEFORE = 1, AFTER = 2, DURING = 4 };

struct merged_order *merged_order_open(uint32_t role_count)
{
	struct merged_order *order = must_realloc(NULL, 1, sizeof(*order));

	*order = (struct merged_order){.role_count = role_count, .arena = arena_new()};
	order->joined = must_realloc(NULL, (size_t)role_count * role_count + 1, 1);
	memset(order->joined, 0, (size_t)role_count * role_count + 1);
	order->touched = must_realloc(NULL, role_count + 1, sizeof(*order->touched));
	return order;
}

void merged_order_close(struct merged_order *order)
{
	if (!order)
		return;
	merge_ids_free(&order->completed);
	merge_ids_free(&order->segment_ids);
	arena_free(order->arena);
	free(order->relations);
	free(order->joined);
	free(order->touched);
	free(order->segments);
	free(order->edges);
	free(order->number);
	free(order->first);
	free(order);
}

static char *row_of(const struct merged_order *order, uint32_t phase)
{
	return order->relations + (size_t)phase * order->role_count;
}

uint32_t merged_order_add_phase(struct merged_order *order)
{
	if (order->phase_count == order->phase_room) {
		order->phase_room = order->phase_room ? 2 * order->phase_room : 64;
		order->relations = must_realloc(order->relations, order->phase_room, order->role_count + 1);
	}
	memset(row_of(order, order->phase_count), 0, order->role_count);
	return order->phase_count++;
}

void merged_order_set(struct merged_order *order, uint32_t phase, uint32_t role, char relation)
{
	row_of(order, phase)[role] = relation;
}

void merged_order_begin_group(struct merged_order *order)
{
	for (uint32_t i = 0; i < order->touched_count; i++)
		memset(order->joined + (size_t)order->touched[i] * order->role_count, 0, order->role_count);
	order->touched_count = 0;
}

void merged_order_join(struct merged_order *order, uint32_t role, uint32_t phase)
{
	char *joined = order->joined + (size_t)role * order->role_count;
	const char *row = row_of(order, phase);
	bool touched = false;

	for (uint32_t i = 0; i < order->touched_count; i++)
		touched |= order->touched[i] == role;
	if (!touched)
		order->touched[order->touched_count++] = role;
	for (uint32_t r = 0; r < order->role_count; r++)
		joined[r] |= row[r] == 'b' ? BEFORE : row[r] == 'a' ? AFTER : row[r] == 'd' ? DURING : 0;
}

uint32_t merged_order_complete(struct merged_order *order, uint32_t role, uint32_t phase)
{
	const char *joined = order->joined + (size_t)role * order->role_count;
	char *whole = must_realloc(NULL, order->role_count + 1, 1);
	uint64_t hash = HASH_START;
	bool same = true;

	memcpy(whole, row_of(order, phase), order->role_count);
	for (uint32_t r = 0; r < order->role_count; r++) {
		if (!whole[r] && (joined[r] == BEFORE || joined[r] == AFTER)) {
			whole[r] = joined[r] == BEFORE ? 'b' : 'a';
			same = false;
		}
		hash = hash_byte(hash, (unsigned char)whole[r]);
	}
	int64_t key = hash_end(hash);
	struct merge_id *known = same ? NULL : merge_ids_find(order->completed, key);
	if (!same && !known) {
		known = merge_ids_add(&order->completed, order->arena, key, merged_order_add_phase(order));
		memcpy(row_of(order, (uint32_t)known->key), whole, order->role_count);
	}
	free(whole);
	return same ? phase : (uint32_t)known->key;
}

uint32_t merged_order_segment(struct merged_order *order, uint32_t thread, uint32_t role, uint32_t phase)
{
	int64_t key = (int64_t)((uint64_t)thread << 32 | phase);
	const struct merge_id *known = merge_ids_find(order->segment_ids, key);

	if (known)
		return (uint32_t)known->key;
	if (order->segment_count == order->segment_room) {
		order->segment_room = order->segment_room ? 2 * order->segment_room : 64;
		order->segments =
		    must_realloc(order->segments, order->segment_room, sizeof(*order->segments));
	}
	order->segments[order->segment_count] = (struct segment){thread, role, phase};
	merge_ids_add(&order->segment_ids, order->arena, key, order->segment_count);
	return order->segment_count++;
}

/* Nodes: begins, ends, segments. */
static uint32_t begin_of(const struct merged_order *order, uint32_t role)
{
	(void)order;
	return role;
}

static uint32_t end_of(const struct merged_order *order, uint32_t role)
{
	return order->role_count + role;
}

static void add_edge(struct merged_order *order, uint32_t from, uint32_t to)
{
	if (order->edge_count == order->edge_room) {
		order->edge_room = order->edge_room ? 2 * order->edge_room : 256;
		order->edges = must_realloc(order->edges, order->edge_room, sizeof(*order->edges));
	}
	order->edges[order->edge_count++] = (struct edge){from, to, order->first[from]};
	order->first[from] = order->edge_count; /* index + 1 */
}

static void add_edges(struct merged_order *order, uint32_t nodes)
{
	order->first = must_realloc(NULL, nodes + 1, sizeof(*order->first));
	memset(order->first, 0, (nodes + 1) * sizeof(*order->first));
	for (uint32_t i = 0; i < order->segment_count; i++) {
		const struct segment *segment = &order->segments[i];
		uint32_t node = 2 * order->role_count + i;

		add_edge(order, begin_of(order, segment->role), node);
		add_edge(order, node, end_of(order, segment->role));
		for (uint32_t r = 0; r < order->role_count; r++) {
			char relation = row_of(order, segment->phase)[r];
			if (relation == 'b')
				add_edge(order, node, begin_of(order, r));
			if (relation == 'a')
				add_edge(order, end_of(order, r), node);
		}
	}
}

void merged_order_lay_out(struct merged_order *order,
                          void (*tell)(void *context, uint32_t id, uint32_t thread, uint32_t pred),
                          void *context)
{
	uint32_t nodes = 2 * order->role_count + order->segment_count, done = 0, head = 0, tail = 0,
	         stuck = 0;

	add_edges(order, nodes);
	order->number = must_realloc(NULL, nodes + 1, sizeof(*order->number));
	memset(order->number, 0, (nodes + 1) * sizeof(*order->number));
	uint32_t *waits = must_realloc(NULL, nodes + 1, sizeof(*waits)),
	         *queue = must_realloc(NULL, nodes + 1, sizeof(*queue));
	memset(waits, 0, (nodes + 1) * sizeof(*waits));
	for (uint32_t e = 0; e < order->edge_count; e++)
		waits[order->edges[e].to]++;
	for (uint32_t n = 0; n < nodes; n++)
		if (waits[n] == 0)
			queue[tail++] = n;
	while (done < nodes) {
		if (head == tail) { /* a circle */
			while (order->number[stuck] || waits[stuck] == 0)
				stuck++;
			waits[stuck] = 0;
			queue[tail++] = stuck;
		}
		uint32_t node = queue[head++];
		order->number[node] = ++done;
		for (uint32_t e = order->first[node]; e; e = order->edges[e - 1].next) {
			uint32_t to = order->edges[e - 1].to;
			if (waits[to] && --waits[to] == 0)
				queue[tail++] = to;
		}
	}
	for (uint32_t n = 0; n < nodes; n++)
		tell(context, order->number[n],
		     n < 2 * order->role_count ? 0 : order->segments[n - 2 * order->role_count].thread, 0);
	for (uint32_t e = 0; e < order->edge_count; e++) {
		const struct edge *edge = &order->edges[e];
		uint32_t thread = edge->to < 2 * order->role_count
		                      ? 0
		                      : order->segments[edge->to - 2 * order->role_count].thread;
		if (order->number[edge->from] < order->number[edge->to])
			tell(context, order->number[edge->to], thread, order->number[edge->from]);
	}
	free(waits);
	free(queue);
}

uint32_t merged_order_number(const struct merged_order *order, uint32_t segment)
{
	return order->number[2 * order->role_count + segment];
}
