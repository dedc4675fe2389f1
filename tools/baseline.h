/* baseline.h: the findings of an earlier run's JSON report: what is known already, and what of it is gone.
 *
 * Memory: the baseline's. Threads: one. Failure: baseline_load says in one line what is wrong with the file.
 */
#ifndef TOOLS_BASELINE_H
#define TOOLS_BASELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

struct baseline;

struct baseline *baseline_open(void);
void baseline_close(struct baseline *baseline);

/* Add a report's findings. Returns NULL, or why the file is no baseline: one line, to be freed. */
char *baseline_load(struct baseline *baseline, const char *path);

/* Add one, of which the strings are copied. False: it is there already. */
bool baseline_add(struct baseline *baseline, const struct report_gone *finding);

/* Whether it has the finding, which is marked as met. */
bool baseline_meet(struct baseline *baseline, const char *fingerprint);

/* The `index`th finding, in the order of the files, of those that were met or not; NULL past the end. One
 * call after the other with the index counted up costs O(1) each. */
const struct report_gone *baseline_nth(struct baseline *baseline, size_t index, bool met);

#endif
