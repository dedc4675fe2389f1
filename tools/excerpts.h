/* excerpts.h: the lines of source around the places that a report names, collected while it is written and
 * put at its end, each line once.
 *
 * Only sources are read: files of the checkout, and others whose names end as sources' names do, since
 * debug information can name any file. Memory: its own until excerpts_close. Threads: one.
 * Failure: a file that can't be read has no lines. */
#ifndef TOOLS_EXCERPTS_H
#define TOOLS_EXCERPTS_H

#include "json.h"
#include "source.h"

struct excerpts;

struct excerpts *excerpts_open(struct source *source);
void excerpts_close(struct excerpts *excerpts);

/* Want the lines around a frame's. Returns the file's number; -1 when it has no lines to show. */
int excerpts_want(struct excerpts *excerpts, const struct report_frame *frame);

/* Read the files one by one, in the order of their numbers: {"path": ..., "newer": changed after `run_ns`
 * (CLOCK_REALTIME), "lines": {"12": "text"}}. NULL behind the last. The caller frees. */
json_t *excerpts_next(struct excerpts *excerpts, uint64_t run_ns);

#endif
