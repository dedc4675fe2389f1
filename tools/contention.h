/* contention.h: the contention of a process (stats.h) into the report's, with names and places.
 *
 * Memory: the array until contention_free, its strings in the resolver's arena. Threads: one.
 * Failure: only the lack of memory, which ends the command. */
#ifndef TOOLS_CONTENTION_H
#define TOOLS_CONTENTION_H

#include "resolve.h"

/* Add what one process did: the locks that cost most, CONTENTION_MAX at most. `process`: its index. */
enum { CONTENTION_MAX = 10000 };
void contention_add(struct report *report, struct resolve *resolve, size_t process);

void contention_free(struct report *report);

#endif
