/* options.h: the options that `run` and `report` share, and the few helpers that every command's
 * parser needs. GNU habits come from argp; a wrong use is one line and status 2.
 *
 * Memory: options_close frees what parsing loaded. Threads: one. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

#include "baseline.h"
#include "emit.h"
#include "logs.h"
#include "outputs.h"
#include "report.h"
#include "suppress.h"

enum fail_on {
	FAIL_ON_NOTE = DT_LEVEL_NOTE,
	FAIL_ON_WARNING = DT_LEVEL_WARNING,
	FAIL_ON_ERROR = DT_LEVEL_ERROR,
	FAIL_NEVER
};

struct report_options {
	const struct emitter *emitter;
	const char *report_path; /* NULL: the command's usual stream; "-": stdout */
	FILE *report_file;       /* options_open_report */
	struct outputs outputs;  /* further reports */
	int exitcode;
	bool exitcode_given;
	enum fail_on fail_on;
	const char *source_root; /* NULL: source_open's default */
	const char *colour;      /* "auto", "always", "never" */
	bool verbose, quiet, prefer_writer;
	struct log_set claims; /* of earlier runs */
	struct suppressions *suppressions;
	bool no_default_suppressions;
	const char *gen_suppressions; /* NULL: none; "yes", "all": behind the report; else a file: */
	FILE *suppressions_file;      /* options_open_report; NULL when none was named */
	struct baseline *baseline;
};

/* An argp child: its input is a struct report_options. */
extern const struct argp report_options_argp;

void options_init(struct report_options *options);
void options_close(struct report_options *options);

/* Parse a command's arguments. As argp_parse, but that what is wrong is one line. */
void options_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);

/* Show progress from here to the end of options_emit, unless --quiet. */
void options_open_progress(const struct report_options *options);

/* One of the reports shows the lock-order graph. */
bool options_want_graph(const struct report_options *options);

/* Open where the report goes, before anything is run: `usual` without --report. Ends the command
 * with a line and status 2 when it can't be written. */
void options_open_report(struct report_options *options, FILE *usual);

/* Repeat the report's notices on stderr, unless a person reads them there in the report. */
void options_say_notices(const struct report_options *options, const struct report *report);

/* Emit, and say why when it could not be written. Returns false then. */
bool options_emit(struct report_options *options, const struct report *report);

/* `exitcode` when the report has a finding at or above --fail-on, else `otherwise`. */
int options_status(const struct report_options *options, const struct report *report, int otherwise);

/* The value of a numeric option; a wrong one ends the command. `option` is for the message. */
unsigned long options_number(const char *option, const char *text, unsigned long least, unsigned long most);
/* yes or no; also 1, 0, true, false, as DETECT_OPTIONS takes them. */
bool options_yes_no(const char *option, const char *text);
/* Index of `text` in `words` (NULL-terminated); a wrong one ends the command. */
size_t options_word(const char *option, const char *text, const char *const *words);

#endif
