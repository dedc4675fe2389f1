/* scc.c: Tarjan's strongly connected components (Depth-First Search and Linear Graph Algorithms,
 * SIAM Journal on Computing 1, 1972) with an explicit stack: a log may hold a chain of a million
 * locks.
 *
 * Before it, vertices without an edge in or out are deleted again and again (the pruning of Cai and
 * Chan, Magiclock, IEEE Transactions on Software Engineering 40, 2014): most locks of a program
 * take part in no cycle, and these go without a look at the rest. */
#include "scc.h"

#include <stdbool.h>
#include <string.h>

struct walk {
	uint32_t *component; /* the caller's; ALIVE until the vertex has its component */
	uint32_t *index;     /* 1 + order of discovery; 0: not seen */
	uint32_t *low;
	uint32_t *next_edge;   /* where the walk over a vertex's edges stands */
	uint32_t *path, *open; /* the depth-first path; vertices whose component is not closed */
	uint32_t path_count, open_count, seen, groups;
};

#define ALIVE UINT32_MAX
enum { PARTS = 5 };

/* Mark what survives the pruning ALIVE and the rest 0. `in`, `out` and `queue` are scratch. */
static void prune(uint32_t count, const uint32_t *first, const uint32_t *target, const uint32_t *rev_first,
                  const uint32_t *rev_target, uint32_t *component, uint32_t *queue, uint32_t *in,
                  uint32_t *out)
{
	uint32_t queued = 0;

	for (uint32_t v = 0; v < count; v++) {
		in[v] = rev_first[v + 1] - rev_first[v];
		out[v] = first[v + 1] - first[v];
		component[v] = in[v] && out[v] ? ALIVE : 0;
		if (!component[v])
			queue[queued++] = v;
	}
	for (uint32_t i = 0; i < queued; i++) {
		uint32_t v = queue[i];
		for (uint32_t e = first[v]; e < first[v + 1]; e++) {
			uint32_t to = target[e];
			if (--in[to] == 0 && component[to]) {
				component[to] = 0;
				queue[queued++] = to;
			}
		}
		for (uint32_t e = rev_first[v]; e < rev_first[v + 1]; e++) {
			uint32_t from = rev_target[e];
			if (--out[from] == 0 && component[from]) {
				component[from] = 0;
				queue[queued++] = from;
			}
		}
	}
}

static void reverse(uint32_t count, const uint32_t *first, const uint32_t *target, uint32_t *rev_first,
                    uint32_t *rev_target, uint32_t *fill)
{
	memset(rev_first, 0, ((size_t)count + 1) * sizeof *rev_first);
	for (uint32_t e = 0; e < first[count]; e++)
		rev_first[target[e] + 1]++;
	for (uint32_t v = 0; v < count; v++)
		rev_first[v + 1] += rev_first[v];
	memcpy(fill, rev_first, count * sizeof *fill);
	for (uint32_t v = 0; v < count; v++)
		for (uint32_t e = first[v]; e < first[v + 1]; e++)
			rev_target[fill[target[e]]++] = v;
}

static void enter(struct walk *w, const uint32_t *first, uint32_t v)
{
	w->index[v] = w->low[v] = ++w->seen;
	w->next_edge[v] = first[v];
	w->path[w->path_count++] = v;
	w->open[w->open_count++] = v;
}

/* v's edges are all walked: close its component when v is its root. */
static void leave(struct walk *w, uint32_t v)
{
	w->path_count--;
	if (w->path_count) {
		uint32_t parent = w->path[w->path_count - 1];
		if (w->low[v] < w->low[parent])
			w->low[parent] = w->low[v];
	}
	if (w->low[v] != w->index[v])
		return;
	bool alone = w->open[w->open_count - 1] == v;
	uint32_t group = alone ? 0 : ++w->groups, member;
	do {
		member = w->open[--w->open_count];
		w->component[member] = group;
	} while (member != v);
}

static void walk_from(struct walk *w, const uint32_t *first, const uint32_t *target, uint32_t start)
{
	enter(w, first, start);
	while (w->path_count) {
		uint32_t v = w->path[w->path_count - 1];
		if (w->next_edge[v] == first[v + 1]) {
			leave(w, v);
			continue;
		}
		uint32_t to = target[w->next_edge[v]++];
		if (w->component[to] != ALIVE)
			continue; /* pruned, or in a component that is closed */
		if (!w->index[to])
			enter(w, first, to);
		else if (w->index[to] < w->low[v])
			w->low[v] = w->index[to];
	}
}

/* Number the components by their smallest vertex. `name` has room for one entry a component. */
static void renumber(uint32_t count, uint32_t *component, uint32_t groups, uint32_t *name)
{
	uint32_t next = 0;

	memset(name, 0, ((size_t)groups + 1) * sizeof *name);
	for (uint32_t v = 0; v < count; v++) {
		if (!component[v])
			continue;
		if (!name[component[v]])
			name[component[v]] = ++next;
		component[v] = name[component[v]];
	}
}

enum dt_err dt_scc(struct dt_alloc *alloc, uint32_t count, const uint32_t *first, const uint32_t *target,
                   uint32_t *component, uint32_t *components)
{
	size_t edges = count ? first[count] : 0;
	size_t words = (size_t)PARTS * ((size_t)count + 1) + ((size_t)count + 1) + edges;
	uint32_t *scratch = alloc->resize(alloc, NULL, 0, words * sizeof *scratch), *part[PARTS];

	*components = 0;
	if (!scratch)
		return DT_ERR_NOMEM;
	for (int i = 0; i < PARTS; i++)
		part[i] = scratch + (size_t)i * ((size_t)count + 1);
	uint32_t *rev_first = scratch + (size_t)PARTS * ((size_t)count + 1);
	uint32_t *rev_target = rev_first + count + 1;
	if (count) {
		reverse(count, first, target, rev_first, rev_target, part[0]);
		prune(count, first, target, rev_first, rev_target, component, part[0], part[1], part[2]);
		struct walk w = {component, part[0], part[1], part[2], part[3], part[4], 0, 0, 0, 0};
		memset(w.index, 0, count * sizeof *w.index);
		for (uint32_t v = 0; v < count; v++)
			if (component[v] == ALIVE && !w.index[v])
				walk_from(&w, first, target, v);
		renumber(count, component, w.groups, part[0]);
		*components = w.groups;
	}
	alloc->resize(alloc, scratch, words * sizeof *scratch, 0);
	return DT_OK;
}
