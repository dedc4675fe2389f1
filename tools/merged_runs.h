/* merged_runs.h: in which runs one edge of a cycle was seen.
 *
 * Memory: merged_runs_close; the rows must live as long. Threads: one. Failure: only the lack of memory,
 * which ends the command. */
#ifndef TOOLS_MERGED_RUNS_H
#define TOOLS_MERGED_RUNS_H

#include <detect/facts.h>
#include <detect/check.h>

#include "merged_rows.h"

struct merged_runs;

struct merged_runs *merged_runs_open(const struct merged_rows *rows);
void merged_runs_close(struct merged_runs *runs); /* NULL is ignored */

/* As merged_facts_runs. */
size_t merged_runs_find(const struct merged_runs *runs, const struct dt_event *hold,
                        const struct dt_event *want, int64_t *found, size_t most);

#endif
