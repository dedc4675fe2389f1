/* confirm.h: attempts to close a predicted lock-order cycle in a run of the program, steered by the shim.
 *
 * Confirmed is only what was seen: the shim's wait-for graph reported an actual deadlock, and its members
 * hold and want what the cycle says, at the places it says (confirm_match.c).
 *
 * Memory: a struct confirm_target keeps the report with its deadlock until confirm_close. Threads: one.
 * Failure: a program that can't be started ends the command. */
#ifndef TOOLS_CONFIRM_H
#define TOOLS_CONFIRM_H

#include "program.h"
#include "report.h"

struct confirm_target {
	const struct report_finding *finding; /* the predicted cycle */
	const char *why_not;                  /* it can't be tried; NULL: it can */
	unsigned attempts;                    /* made for it */
	unsigned timeouts;                    /* of them ended by --attempt-timeout */
	unsigned others;                      /* of them ended in another deadlock */
	unsigned crashes;                     /* of them ended by a signal that the program raised or was sent */
	unsigned first_crash;                 /* which attempt that was, from 1, */
	int crash_signal;                     /* and by which signal */
	bool confirmed;
	bool by_the_way; /* in an attempt for another one */
	bool unseen;     /* the first attempt ended by itself, and did not even show the cycle */
	struct report_builder *builder; /* of the attempt that confirmed it */
	const struct report *report;
	const struct report_finding *deadlock;
};

struct confirm_settings {
	const struct program *program;
	char **argv;
	unsigned attempts;
	uint64_t limit_ns; /* of one attempt */
	bool discard;      /* the program's stdout and stderr */
};

/* Try each target in turn, up to so many times. Returns the signal that ended the work early; 0: none did. */
int confirm_run(const struct confirm_settings *settings, struct confirm_target *targets, size_t count);
void confirm_close(struct confirm_target *targets, size_t count);

/* The deadlock, or the circle in a stall, that happened is the predicted cycle: the same edges, of locks of
 * the same names, at the same places, as a fingerprint compares them. */
bool confirm_match(const struct report_finding *happened, const struct report_finding *cycle);

/* How it went, on `out`. */
void confirm_print_text(FILE *out, const struct report *asked, const struct confirm_target *targets,
                        size_t count);
void confirm_print_json(FILE *out, const struct report *asked, const struct confirm_target *targets,
                        size_t count);

#endif
