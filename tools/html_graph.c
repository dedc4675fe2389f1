/* Sizes of nodes are those the page draws (graph.js): a label of up to LABEL_MAX characters of a fixed
 * width. Graphviz's dot takes minutes for a few thousand edges, so larger graphs are laid out by the page,
 * which is less careful and fast. */
#include "html_graph.h"

#include <stdlib.h>
#include <string.h>

#include "dot.h"
#include "graphviz.h"
#include "progress.h"
#include "say.h"

enum {
	EDGES_MAX = 50000,   /* of a page; more are cut to those on cycles, and to the first of these */
	LAYOUT_EDGES = 4000, /* laid out by Graphviz */
	LAYOUT_SECONDS = 8,
	LABEL_MAX = 32
};
#define POINTS_PER_INCH 72.0
#define CHARACTER_POINTS 6.7
#define PADDING_POINTS 16.0
#define HEIGHT_POINTS 26.0

static double lock_width(const struct report_graph_lock *lock)
{
	size_t length = strlen(lock->lock.name);

	length = length > LABEL_MAX ? LABEL_MAX : length;
	return (CHARACTER_POINTS * (double)length + PADDING_POINTS) / POINTS_PER_INCH;
}

static size_t count_edges(const struct report_graph *graph, const struct dot_choice *choice)
{
	size_t count = 0;

	for (size_t i = 0; i < graph->edge_count; i++)
		count += dot_has_edge(graph, choice, i);
	return count;
}

/* NULL: the page makes its own. */
static json_t *make_layout(const struct report_graph *graph, const struct dot_choice *choice)
{
	char *dot, *plain;
	size_t dot_bytes, bytes, edges = count_edges(graph, choice);
	json_t *text = NULL;

	if (!edges || edges > LAYOUT_EDGES)
		return NULL;
	FILE *out = open_memstream(&dot, &dot_bytes);
	if (!out)
		say_out_of_memory();
	dot_write_layout(out, graph, choice, lock_width, HEIGHT_POINTS / POINTS_PER_INCH);
	if (fclose(out) != 0)
		say_out_of_memory();
	progress_show("laying out lock orders", edges, 0, NULL);
	if (graphviz_run(dot, dot_bytes, "plain", LAYOUT_SECONDS, &plain, &bytes) == GRAPHVIZ_DONE)
		text = json_string(plain);
	free(plain);
	free(dot);
	return text;
}

static json_t *lock_array(struct arena *arena, const struct report_graph_lock *lock)
{
	json_t *array = json_array();

	json_push(array, json_text(arena, lock->lock.name));
	json_push(array, json_text(arena, lock->lock.kind_words));
	json_push(array, json_text(arena, lock->lock.origin));
	json_push(array, lock->process == NO_PROCESS ? json_null() : json_integer((json_int_t)lock->process));
	json_push(array, json_integer(lock->component));
	return array;
}

static json_t *edge_array(struct arena *arena, const struct report_graph_edge *edge,
                          struct html_stacks *stacks)
{
	json_t *array = json_array();

	json_push(array, json_integer((json_int_t)edge->from));
	json_push(array, json_integer((json_int_t)edge->to));
	json_push(array, json_integer((json_int_t)edge->finding - 1));
	json_push(array, json_integer(edge->acquisitions));
	json_push(array, json_text(arena, edge->thread));
	json_push(array, json_integer(edge->many_threads));
	json_push(array, json_integer(edge->direct));
	json_push(array, json_integer(edge->on_cycle));
	json_push(array, json_integer(edge->blocks));
	json_push(array, html_stacks_add(stacks, &edge->hold));
	json_push(array, html_stacks_add(stacks, &edge->want));
	return array;
}

static void put_layouts(json_t *object, const struct report_graph *graph, const struct dot_choice *choice)
{
	const struct dot_choice cycles = {.cycles_only = true};
	json_t *layouts = json_object(), *layout = make_layout(graph, &cycles);

	if (layout)
		json_put(layouts, "cycles", layout);
	layout = choice->cycles_only ? NULL : make_layout(graph, choice);
	if (layout)
		json_put(layouts, "all", layout);
	json_put(object, "layouts", layouts);
}

json_t *html_graph_make(const struct report_graph *graph, struct arena *arena, struct html_stacks *stacks)
{
	struct dot_choice choice = {0};
	json_t *object = json_object(), *locks = json_array(), *edges = json_array();

	choice.cycles_only = count_edges(graph, &choice) > EDGES_MAX;
	for (size_t i = 0; i < graph->lock_count; i++)
		json_push(locks, lock_array(arena, &graph->locks[i]));
	for (size_t i = 0; i < graph->edge_count; i++)
		if (dot_has_edge(graph, &choice, i) && json_array_size(edges) < EDGES_MAX)
			json_push(edges, edge_array(arena, &graph->edges[i], stacks));
	json_put(object, "cut", json_boolean(choice.cycles_only));
	json_put(object, "reduced", json_boolean(graph->reduced));
	json_put(object, "locks", locks);
	json_put(object, "edges", edges);
	put_layouts(object, graph, &choice);
	return object;
}
