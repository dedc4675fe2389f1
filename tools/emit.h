/* emit.h: the output formats. An emitter is {begin, finding, end} over the resolved report: it may
 * not read logs, sort, merge or choose an exit status.
 *
 * Which findings it gets: those that count, then the known ones, then (want_filtered) the filtered
 * candidates; never a suppressed one. Failure: the stream's error indicator. */
#ifndef TOOLS_EMIT_H
#define TOOLS_EMIT_H

#include <stdbool.h>
#include <stdio.h>

#include "model.h"

struct emit {
	FILE *out;
	const struct report *report;
	bool colour, verbose, quiet;
	void *state; /* the emitter's own between begin and end */
};

struct emitter {
	const char *name;
	const char *summary;
	void (*begin)(struct emit *emit);
	void (*finding)(struct emit *emit, const struct report_finding *finding);
	void (*end)(struct emit *emit);
};

/* One row a format; NULL past the end. */
const struct emitter *emit_nth(size_t index);

/* Write the report. False when the stream failed; errno says why. */
bool emit_report(const struct emitter *emitter, struct emit *emit);

extern const struct emitter emit_text, emit_json;

#endif
