/* cycles.c: depth-first search for paths of a given length from an edge's end back to its start,
 * pruned by the distance to the start (a breadth-first search against the edges).
 *
 * Why not Johnson's enumeration of all elementary circuits: it finds them in no useful order, and a
 * tangle of locks has exponentially many of which a person wants the few short ones. The caller asks
 * length by length (iterative deepening) and stops when each code place was shown. */
#include "cycles.h"

void dt_cycles_init(struct dt_cycles *cycles, const struct dt_edges *edges, uint64_t max_steps)
{
	memset(cycles, 0, sizeof *cycles);
	cycles->edges = edges;
	cycles->alloc = edges->alloc;
	cycles->last_step = max_steps;
}

void dt_cycles_fini(struct dt_cycles *cycles)
{
	dt_vec_fini(&cycles->distance, cycles->alloc);
	dt_vec_fini(&cycles->met, cycles->alloc);
	dt_vec_fini(&cycles->on_path, cycles->alloc);
	dt_vec_fini(&cycles->queue, cycles->alloc);
	dt_vec_fini(&cycles->path, cycles->alloc);
}

/* One entry for each vertex there is by now, and room for a path and a queue over all of them. */
static bool make_room(struct dt_cycles *cycles)
{
	while (cycles->on_path.count < cycles->edges->out.count) {
		cycles->path.count = cycles->queue.count = cycles->distance.count = cycles->met.count =
		    cycles->on_path.count;
		if (!dt_vec_push(&cycles->distance, cycles->alloc) ||
		    !dt_vec_push(&cycles->met, cycles->alloc) ||
		    !dt_vec_push(&cycles->queue, cycles->alloc) ||
		    !dt_vec_push(&cycles->path, cycles->alloc) ||
		    !dt_vec_push(&cycles->on_path, cycles->alloc))
			return false;
	}
	return true;
}

static bool allows(const struct dt_cycle_wish *wish, uint32_t edge)
{
	return !wish->allows || wish->allows(wish->context, edge);
}

static bool is_met(const struct dt_cycles *cycles, uint32_t vertex)
{
	return cycles->met.at[vertex] == cycles->search;
}

/* Distances to `start`, up to `max`; it is enough to reach `wanted` (DT_NONE: all). */
static void measure(struct dt_cycles *cycles, uint32_t start, uint32_t wanted, uint32_t max,
                    const struct dt_cycle_wish *wish)
{
	uint32_t *queue = cycles->queue.at, count = 0;

	cycles->search++;
	cycles->met.at[start] = cycles->search;
	cycles->distance.at[start] = 0;
	queue[count++] = start;
	for (uint32_t i = 0; i < count && (wanted == DT_NONE || !is_met(cycles, wanted)); i++) {
		uint32_t distance = cycles->distance.at[queue[i]];
		if (distance == max)
			return;
		for (uint32_t e = dt_edges_in(cycles->edges, queue[i]); e != DT_NONE;
		     e = cycles->edges->edges.at[e].next_in) {
			uint32_t from = cycles->edges->edges.at[e].from;
			cycles->steps++;
			if (is_met(cycles, from) || !allows(wish, e))
				continue;
			cycles->met.at[from] = cycles->search;
			cycles->distance.at[from] = distance + 1;
			queue[count++] = from;
		}
	}
}

/* The first allowed edge in the list from `edge` on that leads one step nearer to the start. */
static uint32_t step_nearer(const struct dt_cycles *cycles, uint32_t edge, uint32_t distance,
                            const struct dt_cycle_wish *wish)
{
	for (; edge != DT_NONE; edge = cycles->edges->edges.at[edge].next_out) {
		uint32_t to = cycles->edges->edges.at[edge].to;
		if (is_met(cycles, to) && cycles->distance.at[to] == distance - 1 && allows(wish, edge))
			break;
	}
	return edge;
}

enum dt_err dt_cycles_shortest(struct dt_cycles *cycles, uint32_t edge, uint32_t max,
                               const struct dt_cycle_wish *wish, uint32_t *length)
{
	const struct dt_edge *e = cycles->edges->edges.at;

	*length = 0;
	if (!make_room(cycles))
		return DT_ERR_NOMEM;
	if (cycles->steps > cycles->last_step) {
		cycles->bounded = true;
		return DT_OK;
	}
	if (max < 2 || !allows(wish, edge))
		return DT_OK;
	measure(cycles, e[edge].from, e[edge].to, max - 1, wish);
	if (!is_met(cycles, e[edge].to))
		return DT_OK;
	uint32_t distance = cycles->distance.at[e[edge].to], last = edge;
	cycles->path.at[0] = edge;
	for (*length = 1; distance; distance--) {
		last = step_nearer(cycles, dt_edges_out(cycles->edges, e[last].to), distance, wish);
		cycles->path.at[(*length)++] = last;
	}
	return DT_OK;
}

static bool agrees_with_path(const struct dt_cycles *cycles, uint32_t edge, uint32_t depth,
                             const struct dt_cycle_wish *wish)
{
	for (uint32_t i = 0; wish->agree && i < depth; i++)
		if (!wish->agree(wish->context, cycles->path.at[i], edge))
			return false;
	return true;
}

/* The next edge for place `depth` of the path, from `edge` on; DT_NONE: no more. */
static uint32_t next_edge(struct dt_cycles *cycles, uint32_t edge, uint32_t depth, uint32_t length,
                          const struct dt_cycle_wish *wish)
{
	for (; edge != DT_NONE; edge = cycles->edges->edges.at[edge].next_out) {
		uint32_t to = cycles->edges->edges.at[edge].to, left = length - depth - 1;
		if (++cycles->steps > cycles->last_step)
			return DT_NONE;
		if (!is_met(cycles, to) || cycles->distance.at[to] > left || cycles->on_path.at[to])
			continue;
		/* The start ends the path, and only the start. */
		if ((cycles->distance.at[to] == 0) != (left == 0))
			continue;
		if (allows(wish, edge) && agrees_with_path(cycles, edge, depth, wish))
			break;
	}
	return edge;
}

static enum dt_err search(struct dt_cycles *cycles, uint32_t length, const struct dt_cycle_wish *wish,
                          dt_cycle_visit *visit, void *context)
{
	const struct dt_edge *e = cycles->edges->edges.at;
	uint32_t *path = cycles->path.at, depth = 1;
	uint32_t edge = dt_edges_out(cycles->edges, e[path[0]].to);

	cycles->on_path.at[e[path[0]].to] = 1;
	for (enum dt_err err; depth;) {
		edge = next_edge(cycles, edge, depth, length, wish);
		if (edge == DT_NONE) {
			/* Take back the edge before and go on behind it. */
			depth--;
			cycles->on_path.at[e[path[depth]].to] = 0;
			edge = depth ? e[path[depth]].next_out : DT_NONE;
			continue;
		}
		path[depth] = edge;
		if (depth + 1 == length) {
			if ((err = visit(context, path, length))) {
				for (uint32_t i = 0; i < depth; i++)
					cycles->on_path.at[e[path[i]].to] = 0;
				return err;
			}
			edge = e[edge].next_out;
		} else {
			cycles->on_path.at[e[edge].to] = 1;
			depth++;
			edge = dt_edges_out(cycles->edges, e[edge].to);
		}
	}
	return DT_OK;
}

enum dt_err dt_cycles_through(struct dt_cycles *cycles, uint32_t edge, uint32_t length,
                              const struct dt_cycle_wish *wish, dt_cycle_visit *visit, void *context)
{
	const struct dt_edge *e = &cycles->edges->edges.at[edge];

	if (!make_room(cycles))
		return DT_ERR_NOMEM;
	if (length < 2 || length > cycles->edges->out.count || !allows(wish, edge))
		return DT_OK;
	if (cycles->steps <= cycles->last_step) {
		measure(cycles, e->from, DT_NONE, length - 1, wish);
		cycles->path.at[0] = edge;
		if (is_met(cycles, e->to)) {
			enum dt_err err = search(cycles, length, wish, visit, context);
			if (err)
				return err;
		}
	}
	cycles->bounded |= cycles->steps > cycles->last_step;
	return DT_OK;
}
