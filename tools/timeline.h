/* timeline.h: sampled holds and waits as a trace that Perfetto and chrome://tracing open (Chrome's trace
 * event format, JSON).
 *
 * Names are any bytes: they are made valid UTF-8 and escaped. Memory: its own until timeline_close.
 * Threads: one. Failure: the stream's error indicator; the lack of memory ends the command. */
#ifndef TOOLS_TIMELINE_H
#define TOOLS_TIMELINE_H

#include <stdint.h>
#include <stdio.h>

#include "resolve.h"

struct timeline;

/* Begins the document on `out`. */
struct timeline *timeline_open(FILE *out);

/* One process's intervals. Its facts are the resolver's. Returns how many there were. */
uint32_t timeline_add(struct timeline *timeline, struct resolve *resolve);

/* Ends the document. */
void timeline_close(struct timeline *timeline);

#endif
