/* graph.c: dynamic topological order by Pearce and Kelly (A Dynamic Topological Sort Algorithm for
 * Directed Acyclic Graphs, ACM Journal of Experimental Algorithmics 11, 2006), over the graph of
 * components instead of the vertices.
 *
 * Why: lock orders are nearly acyclic and nearly every new edge agrees with the order kept, which
 * costs nothing; the others search only what lies between the two ends in the order. Theirs stops
 * at the first cycle. Ours must go on being right after it, so what lies on a new cycle is contracted to
 * one component that takes one place in the order (as in Haeupler, Kavitha, Mathew, Sen and
 * Tarjan, Incremental Cycle Detection, Topological Ordering, and Strong Component Maintenance,
 * ACM Transactions on Algorithms 8, 2012).
 *
 * With edge x -> y against the order, let F be what y reaches and B what reaches x, both within
 * [order(y), order(x)]. F and B meet in C, which is what now lies on cycles with x and y. The places
 * of F and B are dealt out again: first B without C, then C as one, then F without C. B only moves down
 * and F only up, so no edge to the rest is turned round. */
#include "graph.h"

#include <string.h>

#include "pairmap.h"
#include "sort.h"
#include "vec.h"

enum { IN_FORWARD = 1, IN_BACKWARD = 2 };

typedef DT_VEC(uint32_t) neighbours;

struct vertex {
	neighbours out, in;
	uint32_t component; /* a vertex of the component, the same for all its members */
	uint32_t next;      /* ring of the component's members */
	uint32_t size;      /* of the component; valid at the vertex that names it, as are the two below */
	uint32_t order;
	unsigned char mark;
};

struct dt_graph {
	struct dt_alloc *alloc;
	DT_VEC(struct vertex) vertices;
	struct dt_pairmap edges; /* (from + 1, to + 1): value unused */
	/* Room for every vertex, so that a search needs no memory. */
	DT_VEC(uint32_t) forward, backward, places;
};

enum dt_err dt_graph_new(struct dt_graph **out, struct dt_alloc *alloc)
{
	struct dt_graph *graph = alloc->resize(alloc, NULL, 0, sizeof *graph);

	if (!graph)
		return DT_ERR_NOMEM;
	memset(graph, 0, sizeof *graph);
	graph->alloc = alloc;
	*out = graph;
	return DT_OK;
}

void dt_graph_free(struct dt_graph *graph)
{
	if (!graph)
		return;
	struct dt_alloc *alloc = graph->alloc;
	for (uint32_t i = 0; i < graph->vertices.count; i++) {
		dt_vec_fini(&graph->vertices.at[i].out, alloc);
		dt_vec_fini(&graph->vertices.at[i].in, alloc);
	}
	dt_vec_fini(&graph->vertices, alloc);
	dt_vec_fini(&graph->forward, alloc);
	dt_vec_fini(&graph->backward, alloc);
	dt_vec_fini(&graph->places, alloc);
	dt_pairmap_fini(&graph->edges, alloc);
	alloc->resize(alloc, graph, sizeof *graph, 0);
}

/* Room for one more, in each list that a search fills. */
static bool reserve_search(struct dt_graph *graph)
{
	uint32_t count = graph->vertices.count;

	return dt_vec_reserve(graph->alloc, (void **)&graph->forward.at, count, &graph->forward.room,
	                      sizeof(uint32_t)) &&
	       dt_vec_reserve(graph->alloc, (void **)&graph->backward.at, count, &graph->backward.room,
	                      sizeof(uint32_t)) &&
	       dt_vec_reserve(graph->alloc, (void **)&graph->places.at, count, &graph->places.room,
	                      sizeof(uint32_t));
}

enum dt_err dt_graph_add_vertex(struct dt_graph *graph, uint32_t *vertex)
{
	uint32_t id = graph->vertices.count;

	if (!reserve_search(graph))
		return DT_ERR_NOMEM;
	struct vertex *v = dt_vec_push(&graph->vertices, graph->alloc);
	if (!v)
		return DT_ERR_NOMEM;
	v->component = v->next = v->order = id;
	v->size = 1;
	*vertex = id;
	return DT_OK;
}

uint32_t dt_graph_vertex_count(const struct dt_graph *graph)
{
	return graph->vertices.count;
}

uint32_t dt_graph_component(const struct dt_graph *graph, uint32_t vertex)
{
	return graph->vertices.at[vertex].component;
}

uint32_t dt_graph_component_size(const struct dt_graph *graph, uint32_t vertex)
{
	return graph->vertices.at[graph->vertices.at[vertex].component].size;
}

uint32_t dt_graph_next_member(const struct dt_graph *graph, uint32_t vertex)
{
	return graph->vertices.at[vertex].next;
}

/* The components from `start` along the edges (against them, when `mark` is IN_BACKWARD) that lie
 * between `low` and `high` in the order. The list is its own queue. */
static uint32_t search(struct dt_graph *graph, uint32_t start, uint32_t low, uint32_t high,
                       unsigned char mark, uint32_t *found)
{
	struct vertex *v = graph->vertices.at;
	uint32_t count = 0;

	v[start].mark |= mark;
	found[count++] = start;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t member = found[i];
		do {
			const neighbours *next = mark == IN_FORWARD ? &v[member].out : &v[member].in;
			for (uint32_t j = 0; j < next->count; j++) {
				uint32_t other = v[next->at[j]].component;
				if ((v[other].mark & mark) || v[other].order < low || v[other].order > high)
					continue;
				v[other].mark |= mark;
				found[count++] = other;
			}
			member = v[member].next;
		} while (member != found[i]);
	}
	return count;
}

/* Join component `other` into `into`, which is not smaller. */
static void join(struct dt_graph *graph, uint32_t into, uint32_t other)
{
	struct vertex *v = graph->vertices.at;
	uint32_t member = other, next_of_into = v[into].next;

	v[into].size += v[other].size;
	do {
		v[member].component = into;
		member = v[member].next;
	} while (member != other);
	v[into].next = v[other].next;
	v[other].next = next_of_into;
}

static int compare_order(const void *a, const void *b, void *context)
{
	const struct vertex *v = context;

	uint32_t left = v[*(const uint32_t *)a].order, right = v[*(const uint32_t *)b].order;
	return (left > right) - (left < right);
}

/* Joins what both searches met; returns its name, or UINT32_MAX when they did not meet. */
static uint32_t join_meeting(struct dt_graph *graph)
{
	struct vertex *v = graph->vertices.at;
	uint32_t whole = UINT32_MAX;

	for (uint32_t i = 0; i < graph->forward.count; i++) {
		uint32_t c = graph->forward.at[i];
		if (!(v[c].mark & IN_BACKWARD))
			continue;
		if (whole == UINT32_MAX) {
			whole = c;
		} else if (v[c].size <= v[whole].size) {
			join(graph, whole, c);
		} else {
			join(graph, c, whole);
			whole = c;
		}
	}
	return whole;
}

/* Keeps of `list` what only one search found, in the present order. */
static uint32_t keep_outside(struct vertex *v, uint32_t *list, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++)
		if (v[list[i]].mark != (IN_FORWARD | IN_BACKWARD))
			list[kept++] = list[i];
	dt_sort(list, kept, sizeof *list, compare_order, v);
	return kept;
}

/* The two searches are done: deal out their places again. Answers whether components were joined. */
static bool reorder(struct dt_graph *graph)
{
	struct vertex *v = graph->vertices.at;
	uint32_t places = 0, forward = graph->forward.count, backward = graph->backward.count;

	for (uint32_t i = 0; i < backward; i++)
		graph->places.at[places++] = v[graph->backward.at[i]].order;
	for (uint32_t i = 0; i < forward; i++)
		if (!(v[graph->forward.at[i]].mark & IN_BACKWARD))
			graph->places.at[places++] = v[graph->forward.at[i]].order;
	dt_sort_u32(graph->places.at, places);

	uint32_t whole = join_meeting(graph);
	uint32_t before = keep_outside(v, graph->backward.at, backward);
	uint32_t behind = 0;
	/* As above, and what met loses its marks. */
	for (uint32_t i = 0; i < forward; i++) {
		uint32_t c = graph->forward.at[i];
		if (v[c].mark == (IN_FORWARD | IN_BACKWARD))
			v[c].mark = 0;
		else
			graph->forward.at[behind++] = c;
	}
	dt_sort(graph->forward.at, behind, sizeof(uint32_t), compare_order, v);

	for (uint32_t i = 0; i < before; i++) {
		v[graph->backward.at[i]].order = graph->places.at[i];
		v[graph->backward.at[i]].mark = 0;
	}
	if (whole != UINT32_MAX)
		v[whole].order = graph->places.at[before];
	for (uint32_t i = 0; i < behind; i++) {
		v[graph->forward.at[i]].order = graph->places.at[places - behind + i];
		v[graph->forward.at[i]].mark = 0;
	}
	return whole != UINT32_MAX;
}

/* Room first, so that a failure leaves nothing half done. */
static bool store_edge(struct dt_graph *graph, uint32_t from, uint32_t to)
{
	struct vertex *f = &graph->vertices.at[from], *t = &graph->vertices.at[to];

	if (!dt_vec_reserve(graph->alloc, (void **)&f->out.at, f->out.count, &f->out.room,
	                    sizeof(uint32_t)) ||
	    !dt_vec_reserve(graph->alloc, (void **)&t->in.at, t->in.count, &t->in.room, sizeof(uint32_t)) ||
	    !dt_pairmap_add(&graph->edges, graph->alloc, dt_pair(from + 1, to + 1), 0))
		return false;
	f->out.at[f->out.count++] = to;
	t->in.at[t->in.count++] = from;
	return true;
}

enum dt_err dt_graph_add_edge(struct dt_graph *graph, uint32_t from, uint32_t to, bool *closed)
{
	struct vertex *v = graph->vertices.at;

	*closed = false;
	if (from == to || dt_pairmap_find(&graph->edges, dt_pair(from + 1, to + 1)))
		return DT_OK;
	if (!store_edge(graph, from, to))
		return DT_ERR_NOMEM;
	uint32_t x = v[from].component, y = v[to].component;
	if (x == y || v[x].order < v[y].order)
		return DT_OK;
	graph->forward.count = search(graph, y, v[y].order, v[x].order, IN_FORWARD, graph->forward.at);
	graph->backward.count = search(graph, x, v[y].order, v[x].order, IN_BACKWARD, graph->backward.at);
	*closed = reorder(graph);
	return DT_OK;
}

static bool check_component(const struct dt_graph *graph, uint32_t name)
{
	const struct vertex *v = graph->vertices.at;
	uint32_t size = 0, member = name;

	do {
		if (v[member].component != name || v[member].mark || ++size > graph->vertices.count)
			return false;
		for (uint32_t i = 0; i < v[member].out.count; i++) {
			uint32_t other = v[v[member].out.at[i]].component;
			if (other != name && v[other].order <= v[name].order)
				return false;
		}
		member = v[member].next;
	} while (member != name);
	return size == v[name].size;
}

bool dt_graph_check(const struct dt_graph *graph)
{
	const struct vertex *v = graph->vertices.at;
	struct dt_pairmap orders = {0};
	uint32_t members = 0;
	bool good = true;

	for (uint32_t i = 0; good && i < graph->vertices.count; i++) {
		if (v[i].component != i)
			continue;
		members += v[i].size;
		good = check_component(graph, i) && !dt_pairmap_find(&orders, v[i].order + 1u) &&
		       dt_pairmap_add(&orders, graph->alloc, v[i].order + 1u, 0);
	}
	dt_pairmap_fini(&orders, graph->alloc);
	return good && members == graph->vertices.count;
}
