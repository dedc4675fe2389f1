/* fact_sources.h: what a command is given to read: logs, or one database of merged facts.
 *
 * Memory: fact_sources_close frees all. Threads: one. Failure: a line, to be freed. */
#ifndef TOOLS_FACT_SOURCES_H
#define TOOLS_FACT_SOURCES_H

#include "logs.h"
#include "report.h"
#include "store.h"

struct fact_sources {
	struct log_set logs;
	struct store *store; /* NULL: logs */
};

void fact_sources_open(struct fact_sources *sources);
void fact_sources_close(struct fact_sources *sources);

/* A log, a folder of them, or what `detect merge` made: a file or a postgresql:// URL. */
char *fact_sources_add(struct fact_sources *sources, const char *place);

/* Read and analyse all; then report_finish. The report is in *report. */
char *fact_sources_report(struct fact_sources *sources, struct report_builder *builder,
                          struct suppressions *suppressions, struct baseline *baseline,
                          const struct report **report);

#endif
