/* html_graph.h: the lock-order graph of a page, with Graphviz's layouts where it is there.
 *
 * Memory: the caller frees what it gets. Threads: one. Failure: without Graphviz, or when it takes longer
 * than a few seconds, there is no layout and the page makes its own. */
#ifndef TOOLS_HTML_GRAPH_H
#define TOOLS_HTML_GRAPH_H

#include "html_stacks.h"

/* {"cut": edges were left out, there are so many, "reduced": ...,
 *  "locks": [[name, kind, origin, process, component]],
 *  "edges": [[from, to, index of the finding or -1, acquisitions, thread, many threads, direct, on cycle,
 * blocks, stack of holding, stack of wanting]], "layouts": {"cycles": text, "all": text}}, texts in
 * Graphviz's "plain" format, nodes named by index: "l7". */
json_t *html_graph_make(const struct report_graph *graph, struct arena *arena, struct html_stacks *stacks);

#endif
