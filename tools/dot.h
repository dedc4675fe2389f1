/* dot.h: the report's lock-order graph in Graphviz's language.
 *
 * Names are any bytes: they are made printable and escaped. Memory: none is kept. Threads: one.
 * Failure: the stream's error indicator. */
#ifndef TOOLS_DOT_H
#define TOOLS_DOT_H

#include <stdbool.h>
#include <stdio.h>

#include "model.h"

struct dot_choice {
	bool cycles_only; /* only locks and edges on cycles */
	bool all_edges;   /* also edges off cycles that follow from others */
};

/* It is drawn under that choice. */
bool dot_has_lock(const struct report_graph *graph, const struct dot_choice *choice, size_t lock);
bool dot_has_edge(const struct report_graph *graph, const struct dot_choice *choice, size_t edge);

/* For people: names, colours, tooltips with the code places. */
void dot_write(FILE *out, const struct report *report, const struct dot_choice *choice);

/* For a layout alone: nodes "l0", "l1", ... of sizes in inches as given by lock. */
void dot_write_layout(FILE *out, const struct report_graph *graph, const struct dot_choice *choice,
                      double (*width)(const struct report_graph_lock *lock), double height);

#endif
