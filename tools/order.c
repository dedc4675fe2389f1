/* Each process's graph is put behind those of the others; components are numbered on, so that one
 * number means one cycle. Locks are found again by process and id, and names made unique, with hashes: a
 * graph can have a hundred thousand locks. */
#include "order.h"

#include <detect/order_graph.h>

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "names.h"
#include "progress.h"
#include "say.h"

struct name_use {
	const char *name; /* key */
	size_t first;     /* the lock that has it */
	unsigned count;
	UT_hash_handle hh;
};

/* Locks of one process that share a name get a " #1", " #2" behind it. */
static void number_names(struct arena *arena, struct report_graph_lock *locks, size_t count)
{
	struct name_use *uses = NULL, *use;

	for (size_t i = 0; i < count; i++) {
		const char *name = locks[i].lock.name;

		HASH_FIND_STR(uses, name, use);
		if (!use) {
			use = arena_alloc(arena, sizeof(*use));
			*use = (struct name_use){.name = name, .first = i};
			HASH_ADD_KEYPTR(hh, uses, use->name, strlen(use->name), use);
		}
		if (++use->count == 2)
			locks[use->first].lock.name = arena_printf(arena, "%s #1", name);
		if (use->count > 1)
			locks[i].lock.name = arena_printf(arena, "%s #%u", name, use->count);
	}
	HASH_CLEAR(hh, uses);
}

static uint32_t last_component(const struct report_graph *graph)
{
	uint32_t last = 0;

	for (size_t i = 0; i < graph->lock_count; i++)
		last = graph->locks[i].component > last ? graph->locks[i].component : last;
	return last;
}

static void add_locks(struct report_graph *graph, const struct dt_order_graph *order, struct resolve *resolve,
                      size_t process)
{
	uint32_t base = last_component(graph);
	struct report_graph_lock *locks;

	graph->locks = must_realloc(graph->locks, graph->lock_count + order->lock_count, sizeof(*locks));
	locks = graph->locks + graph->lock_count;
	for (uint32_t i = 0; i < order->lock_count; i++) {
		uint32_t component = order->locks[i].component;

		progress_show("name of lock", i + 1, order->lock_count, NULL);
		locks[i] = (struct report_graph_lock){
		    .lock = names_lock(resolve, order->locks[i].lock),
		    .process = process,
		    .component = component ? base + component : 0,
		};
	}
	number_names(resolve_arena(resolve), locks, order->lock_count);
	graph->lock_count += order->lock_count;
}

static void add_edges(struct report_graph *graph, const struct dt_order_graph *order, struct resolve *resolve,
                      size_t first_lock)
{
	graph->edges =
	    must_realloc(graph->edges, graph->edge_count + order->edge_count, sizeof(*graph->edges));
	for (uint32_t i = 0; i < order->edge_count; i++) {
		const struct dt_order_edge *edge = &order->edges[i];

		progress_show("stacks of lock order", i + 1, order->edge_count, NULL);
		graph->edges[graph->edge_count++] = (struct report_graph_edge){
		    .from = first_lock + edge->from,
		    .to = first_lock + edge->to,
		    .acquisitions = edge->acquisitions,
		    .thread = edge->thread ? resolve_thread_words(resolve, edge->thread) : NULL,
		    .many_threads = edge->many_threads,
		    .direct = edge->direct,
		    .on_cycle = edge->on_cycle,
		    .blocks = edge->blocks,
		    .hold = resolve_stack(resolve, edge->hold_stack),
		    .want = resolve_stack(resolve, edge->want_stack),
		};
	}
}

void order_add(struct report_graph *graph, struct resolve *resolve, size_t process)
{
	struct dt_order_graph order;
	size_t first_lock = graph->lock_count;

	if (dt_order_graph_init(&order, resolve_facts(resolve), &dt_alloc_libc) != DT_OK)
		say_out_of_memory();
	add_locks(graph, &order, resolve, process);
	add_edges(graph, &order, resolve, first_lock);
	graph->reduced |= order.reduced;
	dt_order_graph_fini(&order);
}

/* One direction of one edge, as findings know it. */
struct shown_key {
	size_t process;
	uint32_t from, to;
};

struct shown {
	struct shown_key key;
	size_t finding; /* index + 1 */
	UT_hash_handle hh;
};

static void add_shown(struct shown **all, struct arena *arena, size_t process, uint32_t from, uint32_t to,
                      size_t finding)
{
	struct shown *shown;
	struct shown_key key;

	memset(&key, 0, sizeof(key)); /* with its padding */
	key.process = process;
	key.from = from;
	key.to = to;
	HASH_FIND(hh, *all, &key, sizeof(key), shown);
	if (shown)
		return;
	shown = arena_alloc(arena, sizeof(*shown));
	shown->key = key;
	shown->finding = finding;
	HASH_ADD(hh, *all, key, sizeof(shown->key), shown);
}

/* Locks of merged facts have other ids than those of the run that a finding is of: they are the same by name.
 */
struct named_lock {
	const char *name; /* key */
	uint32_t id;
	UT_hash_handle hh;
};

static struct named_lock *name_locks(struct arena *arena, const struct report_graph *graph)
{
	struct named_lock *all = NULL, *named;

	for (size_t i = 0; i < graph->lock_count; i++) {
		named = arena_alloc(arena, sizeof(*named));
		*named =
		    (struct named_lock){.name = graph->locks[i].lock.name, .id = graph->locks[i].lock.id};
		HASH_ADD_KEYPTR(hh, all, named->name, strlen(named->name), named);
	}
	return all;
}

/* The graph's id of a finding's lock; 0: it has none. */
static uint32_t graph_id(struct named_lock *names, const struct report_finding *finding, uint32_t id)
{
	struct named_lock *named = NULL;

	for (size_t i = 0; i < finding->lock_count && !named; i++)
		if (finding->locks[i].id == id)
			HASH_FIND_STR(names, finding->locks[i].name, named);
	return named ? named->id : 0;
}

/* A HOLD event and the ACQUIRE that follows it are an edge. */
static void collect_shown(struct shown **all, struct arena *arena, const struct report *report)
{
	const struct report_graph *graph = &report->graph;
	bool is_merged = graph->locks[0].process == NO_PROCESS;
	struct named_lock *names = is_merged ? name_locks(arena, graph) : NULL;

	for (size_t i = 0; i < report->finding_count; i++) {
		const struct report_finding *finding = &report->findings[i];

		if (finding->filtered || finding->suppressed)
			continue;
		for (size_t e = 0; e + 1 < finding->event_count; e++) {
			const struct report_event *event = &finding->events[e];

			if (event[0].kind != DT_EVENT_HOLD || event[1].kind != DT_EVENT_ACQUIRE)
				continue;
			if (is_merged)
				add_shown(all, arena, NO_PROCESS, graph_id(names, finding, event[0].lock),
				          graph_id(names, finding, event[1].lock), i + 1);
			else
				add_shown(all, arena, finding->process, event[0].lock, event[1].lock, i + 1);
		}
	}
	HASH_CLEAR(hh, names);
}

void order_mark_findings(struct report *report)
{
	struct report_graph *graph = &report->graph;
	struct shown *all = NULL, *shown;
	struct arena *arena;

	if (!graph->edge_count)
		return;
	arena = arena_new();
	collect_shown(&all, arena, report);
	for (size_t i = 0; i < graph->edge_count; i++) {
		const struct report_graph_lock *from = &graph->locks[graph->edges[i].from];
		struct shown_key key;

		memset(&key, 0, sizeof(key));
		key.process = from->process;
		key.from = from->lock.id;
		key.to = graph->locks[graph->edges[i].to].lock.id;
		HASH_FIND(hh, all, &key, sizeof(key), shown);
		graph->edges[i].finding = shown ? shown->finding : 0;
	}
	HASH_CLEAR(hh, all);
	arena_free(arena);
}

void order_free(struct report_graph *graph)
{
	free(graph->locks);
	free(graph->edges);
	*graph = (struct report_graph){0};
}
