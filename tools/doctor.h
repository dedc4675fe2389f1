/* doctor.h: what would stop `detect run` from working here, and how to mend it.
 *
 * A check is a row of doctor_checks: a name and a function that says what it saw, by one or more lines.
 * Checks run in the order of the rows; a later one may use what an earlier one found out.
 *
 * Memory: lines are the arena's. Threads: one. Failure: what can't be looked at is a line too. */
#ifndef TOOLS_DOCTOR_H
#define TOOLS_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "program.h"
#include "symbols_detail.h"

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_WARNING, /* it works, but shows less than it could */
	DOCTOR_PROBLEM, /* it would not work */
	DOCTOR_VERDICTS
};

struct doctor_line {
	const char *check;
	enum doctor_verdict verdict;
	const char *text;
	const char *mend; /* what to do; NULL: nothing */
};

struct doctor {
	struct arena *arena;
	const char *output;       /* as of `run --output`; NULL: a temporary folder */
	const char *program_name; /* NULL: none was named */
	struct program program;
	struct symbols_detail detail; /* of program.elf */
	char *preload;                /* the shim; NULL: none */
	char *log_folder;             /* an empty folder that logs can be tried in; NULL: none */
	const char *check;            /* the one that runs */
	struct doctor_line *lines;
	size_t line_count;
};

struct doctor_check {
	const char *name;
	bool of_program; /* only when one was named and can be run */
	void (*run)(struct doctor *doctor);
};

extern const struct doctor_check doctor_checks[];
extern const size_t doctor_check_count;

void doctor_run(struct doctor *doctor);
void doctor_close(struct doctor *doctor);

/* A line of the check that runs. `mend` is kept, not copied; NULL: nothing is to be done. */
void doctor_add(struct doctor *doctor, enum doctor_verdict verdict, const char *mend, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The checks, one function each: doctor_here.c, doctor_logs.c and doctor_program.c. */
void doctor_check_shim(struct doctor *doctor);
void doctor_check_c_library(struct doctor *doctor);
void doctor_check_symbol_reader(struct doctor *doctor);
void doctor_check_confinement(struct doctor *doctor);
void doctor_check_limits(struct doctor *doctor);
void doctor_check_log_folder(struct doctor *doctor);
void doctor_check_preloading(struct doctor *doctor);
void doctor_check_program(struct doctor *doctor);
void doctor_check_libraries(struct doctor *doctor);
void doctor_check_debug_information(struct doctor *doctor);
void doctor_check_runtimes(struct doctor *doctor);

#endif
