/* In DOT a quoted string ends at '"', '\' begins an escape and '&' an entity of HTML; what can't be seen
 * is made visible before (safe.h), so nothing else can act.
 *
 * An edge that is not direct (C wanted with A and B held: A -> C) follows from those that are (A -> B ->
 * C), so it is drawn only where it makes a cycle shorter. */
#include "dot.h"

#include <stdlib.h>

#include "arena.h"
#include "names.h"
#include "places.h"
#include "safe.h"

bool dot_has_lock(const struct report_graph *graph, const struct dot_choice *choice, size_t lock)
{
	return !choice->cycles_only || graph->locks[lock].component;
}

bool dot_has_edge(const struct report_graph *graph, const struct dot_choice *choice, size_t edge)
{
	const struct report_graph_edge *it = &graph->edges[edge];

	return it->on_cycle || (!choice->cycles_only && (it->direct || choice->all_edges));
}

static void print_escaped(FILE *out, struct arena *arena, const char *text)
{
	for (text = safe_visible(arena, text); *text; text++) {
		if (*text == '&') {
			fputs("&amp;", out);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_attribute(FILE *out, struct arena *arena, const char *name, const char *text)
{
	fprintf(out, "%s=\"", name);
	print_escaped(out, arena, text);
	fputc('"', out);
}

static const char *place(struct arena *arena, const struct report_stack *stack)
{
	const char *words = names_frame(arena, places_find(stack));

	return words ? words : "unknown code";
}

static void print_lock(FILE *out, struct arena *arena, const struct report_graph *graph, size_t index)
{
	const struct report_graph_lock *lock = &graph->locks[index];

	fprintf(out, "\t\tl%zu [", index);
	print_attribute(out, arena, "label", lock->lock.name);
	fputs(", ", out);
	print_attribute(out, arena, "tooltip",
	                arena_printf(arena, "%s%s%s", lock->lock.kind_words, lock->lock.origin ? ", " : "",
	                             lock->lock.origin ? lock->lock.origin : ""));
	if (lock->component)
		fputs(", color=\"#c62828\", fillcolor=\"#ffebee\"", out);
	fputs("];\n", out);
}

static void print_edge(FILE *out, struct arena *arena, const struct report *report, size_t index)
{
	const struct report_graph_edge *edge = &report->graph.edges[index];

	fprintf(out, "\tl%zu -> l%zu [", edge->from, edge->to);
	print_attribute(out, arena, "tooltip",
	                arena_printf(arena, "%s%s: held since %s, wanted at %s (%u distinct acquisition%s)",
	                             edge->thread ? edge->thread : "unknown thread",
	                             edge->many_threads ? " and others" : "", place(arena, &edge->hold),
	                             place(arena, &edge->want), edge->acquisitions,
	                             edge->acquisitions == 1 ? "" : "s"));
	if (edge->finding) {
		const struct report_finding *finding = &report->findings[edge->finding - 1];

		fputs(", color=\"#c62828\", penwidth=2.5, ", out);
		print_attribute(out, arena, "class", finding->rule->name);
		if (edge->thread) {
			fputs(", ", out);
			print_attribute(out, arena, "label", edge->thread);
		}
	} else if (edge->on_cycle) {
		fputs(", color=\"#ef6c00\"", out);
	}
	if (!edge->blocks)
		fputs(", style=dotted", out);
	else if (!edge->direct)
		fputs(", style=dashed", out);
	fputs("];\n", out);
}

static void begin_process(FILE *out, struct arena *arena, const struct report *report, size_t index)
{
	const struct report_process *process = index == NO_PROCESS ? NULL : &report->processes[index];

	fprintf(out, "\tsubgraph cluster_%zu {\n\t\t", process ? index : 0);
	print_attribute(out, arena, "label",
	                process ? arena_printf(arena, "%s (pid %d)", process->program, process->pid)
	                        : arena_printf(arena, "%zu runs", report->process_count));
	fputs(";\n\t\tcolor=\"#9e9e9e\";\n", out);
}

/* The locks of a process lie side by side. */
static void print_locks(FILE *out, struct arena *arena, const struct report *report,
                        const struct dot_choice *choice)
{
	const struct report_graph *graph = &report->graph;
	size_t none = report->process_count, process = none;

	for (size_t i = 0; i < graph->lock_count; i++) {
		if (!dot_has_lock(graph, choice, i))
			continue;
		if (graph->locks[i].process != process) {
			if (process != none)
				fputs("\t}\n", out);
			process = graph->locks[i].process;
			begin_process(out, arena, report, process);
		}
		print_lock(out, arena, graph, i);
		arena_clear(arena);
	}
	if (process != none)
		fputs("\t}\n", out);
}

/* Bounds for dot's slowest steps (nslimit, mclimit): what it finds after them is hardly better. */
static void print_head(FILE *out)
{
	fputs("digraph \"lock order\" {\n"
	      "\tgraph [rankdir=TB, nslimit=2, nslimit1=2, mclimit=0.5, fontname=\"sans-serif\"];\n"
	      "\tnode [shape=box, style=\"rounded,filled\", fillcolor=\"#f5f5f5\", fontname=\"monospace\", "
	      "fontsize=11];\n"
	      "\tedge [color=\"#616161\", fontname=\"sans-serif\", fontsize=9];\n",
	      out);
}

void dot_write(FILE *out, const struct report *report, const struct dot_choice *choice)
{
	const struct report_graph *graph = &report->graph;
	struct arena *arena = arena_new();

	fputs("// A -> B: B was wanted while A was held. Red: a finding shows it. Orange: on a cycle, but in "
	      "no\n"
	      "// finding (detect report --verbose says why). Dashed: follows from other edges. Dotted: only "
	      "tries.\n",
	      out);
	print_head(out);
	print_locks(out, arena, report, choice);
	for (size_t i = 0; i < graph->edge_count; i++)
		if (dot_has_edge(graph, choice, i)) {
			print_edge(out, arena, report, i);
			arena_clear(arena);
		}
	fputs("}\n", out);
	arena_free(arena);
}

void dot_write_layout(FILE *out, const struct report_graph *graph, const struct dot_choice *choice,
                      double (*width)(const struct report_graph_lock *lock), double height)
{
	print_head(out);
	fprintf(out, "\tnode [fixedsize=true, label=\"\", height=%.3f];\n", height);
	for (size_t i = 0; i < graph->lock_count; i++)
		if (dot_has_lock(graph, choice, i))
			fprintf(out, "\tl%zu [width=%.3f];\n", i, width(&graph->locks[i]));
	for (size_t i = 0; i < graph->edge_count; i++)
		if (dot_has_edge(graph, choice, i))
			fprintf(out, "\tl%zu -> l%zu [id=%zu];\n", graph->edges[i].from, graph->edges[i].to,
			        i);
	fputs("}\n", out);
}
