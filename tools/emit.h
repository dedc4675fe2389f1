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
#include "source.h"

struct emit {
	FILE *out;
	const struct report *report;
	struct source *source; /* places files in the checkout */
	int fail_on;           /* the enum dt_level from which on a finding fails the run */
	bool relative;         /* text: print paths as `source` places them */
	bool colour, verbose, quiet;
	void *state; /* the emitter's own between begin and end */
};

struct emitter {
	const char *name;
	const char *summary;
	bool has_summary; /* ends with words_summary's line */
	bool wants_graph; /* shows report->graph */
	void (*begin)(struct emit *emit);
	void (*finding)(struct emit *emit, const struct report_finding *finding);
	void (*end)(struct emit *emit);
};

/* One row a format; NULL past the end. */
const struct emitter *emit_nth(size_t index);

/* Write the report. False when the stream failed; errno says why. */
bool emit_report(const struct emitter *emitter, struct emit *emit);

/* What the text format says about one finding, printable and in several lines, with relative paths; to be
 * freed. */
char *emit_finding_text(const struct emit *emit, const struct report_finding *finding);

/* Pieces of the JSON format, for others that are made of it; references of the caller's (jansson.h). */
struct json_t;
struct arena;
struct json_t *emit_json_finding(struct arena *arena, const struct report *report,
                                 const struct report_finding *finding);
struct json_t *emit_json_process(struct arena *arena, const struct report_process *process);
struct json_t *emit_json_summary(const struct report_summary *summary);

/* It fails the run: new, and of the level that is asked for. */
bool emit_fails(const struct emit *emit, const struct report_finding *finding);

extern const struct emitter emit_text, emit_json, emit_sarif, emit_junit, emit_valgrind, emit_gitlab,
    emit_github, emit_markdown, emit_html;

#endif
