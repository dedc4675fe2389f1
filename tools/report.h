/* report.h: from logs to the resolved report (model.h): analyse each process, name what was found,
 * merge what is one bug, leave out what is suppressed, tell the known from the new.
 *
 * Memory: the report belongs to the builder and is freed with it. Threads: one.
 * Failure: what limits the report (a corrupt log, dropped records, a bound that was hit) becomes a
 * notice in it; only the lack of memory ends the command. */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include "baseline.h"
#include "logs.h"
#include "model.h"
#include "suppress.h"

struct report_settings {
	bool prefer_writer;
	bool want_filtered; /* also the candidates that fell to a filter */
	bool want_graph;    /* the lock-order graph and contention too: names for all locks cost time */
	const struct log_set *claims; /* of earlier runs; NULL: none */
	bool check_live;    /* the processes ran on this machine just now: see whether they still do */
	int32_t child_pid;  /* the process that `detect run` started, and what waitpid said; 0: none */
	int child_wait_status;
};

struct report_builder;

struct report_builder *report_open(const struct report_settings *settings);
void report_close(struct report_builder *builder);

/* Read and analyse the logs, which are sorted for it; then report_finish. */
const struct report *report_of_logs(struct report_builder *builder, struct log_set *logs,
                                    struct suppressions *suppressions, struct baseline *baseline);

/* What merged.c adds, which has its facts from a database: a process, to be filled in, and its index; and a
 * finding, whose strings are in the report's arena. */
struct report_process *report_add_process(struct report_builder *builder, size_t *index);
void report_add_finding(struct report_builder *builder, const struct report_finding *finding);
/* By fingerprint and the program of a process; NULL: none yet. */
const struct report_finding *report_find(const struct report_builder *builder, const char *fingerprint,
                                         size_t process);
struct report_graph *report_get_graph(struct report_builder *builder);
struct arena *report_arena(const struct report_builder *builder);
const struct report_settings *report_get_settings(const struct report_builder *builder);

/* A line about what limits the report. Copied. */
void report_add_notice(struct report_builder *builder, const char *notice);

/* After the last log. `suppressions` and `baseline` may be NULL. */
const struct report *report_finish(struct report_builder *builder, struct suppressions *suppressions,
                                   struct baseline *baseline);

#endif
