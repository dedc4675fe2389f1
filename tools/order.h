/* order.h: the lock-order graph of the facts (order_graph.h) into the report's, with names and stacks.
 *
 * Memory: the graph's arrays until order_free, its strings in the resolver's arena. Threads: one.
 * Failure: only the lack of memory, which ends the command. */
#ifndef TOOLS_ORDER_H
#define TOOLS_ORDER_H

#include "resolve.h"

/* Add what one process did. `process`: its index in the report; NO_PROCESS: what the runs of merged facts did. */
void order_add(struct report_graph *graph, struct resolve *resolve, size_t process);

/* Tell each edge which finding shows it; of findings that count or are known. */
void order_mark_findings(struct report *report);

void order_free(struct report_graph *graph);

#endif
