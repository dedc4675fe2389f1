/* merged.h: a report of merged facts: what the runs' own analyses found, and the cycles whose edges come from
 * different runs.
 *
 * Threads: one. Failure: a line that says what is wrong with the database, to be freed. */
#ifndef TOOLS_MERGED_H
#define TOOLS_MERGED_H

#include "report.h"
#include "store.h"

char *merged_report(struct report_builder *builder, struct store *store);

#endif
