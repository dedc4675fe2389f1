/* bugs.h: findings that tell of one bug (a lock-order cycle, and the unsafe state it was on the way to) refer
 * to each other.
 *
 * Memory: `related` is the other's fingerprint itself. Threads: one. Cost: that of sorting them. */
#ifndef TOOLS_BUGS_H
#define TOOLS_BUGS_H

#include "model.h"

/* Findings of one process, none with a `bug` of 0. They are put into another order. */
void bugs_relate(struct report_finding **findings, size_t count);

#endif
