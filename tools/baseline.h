/* baseline.h: the fingerprints of an earlier run's JSON report: what is known already.
 *
 * Threads: one. Failure: baseline_load says in one line what is wrong with the file. */
#ifndef TOOLS_BASELINE_H
#define TOOLS_BASELINE_H

#include <stdbool.h>

struct baseline;

struct baseline *baseline_open(void);
void baseline_close(struct baseline *baseline);

/* Returns NULL, or why the file is no baseline: one line, to be freed. */
char *baseline_load(struct baseline *baseline, const char *path);

bool baseline_has(const struct baseline *baseline, const char *fingerprint);

#endif
