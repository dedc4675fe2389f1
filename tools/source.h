/* source.h: where in a person's checkout a finding is: the file and line that an annotation points at.
 *
 * Debug information has the paths of the machine that compiled; CI systems want them relative to
 * the repository's root. Memory: strings live until source_close. Threads: one.
 * Failure: a path that can't be placed in the checkout stays as it is. */
#ifndef TOOLS_SOURCE_H
#define TOOLS_SOURCE_H

#include <stdbool.h>

#include "model.h"

struct source;

/* `root` NULL: $GITHUB_WORKSPACE or $CI_PROJECT_DIR, else the folder above this one that has a .git, else
 * this one. Never fails. */
struct source *source_open(const char *root);
void source_close(struct source *source);

/* Absolute. */
const char *source_root(const struct source *source);

struct spot {
	const char *path; /* relative to the root when in_root; never NULL, never empty */
	bool in_root;
	bool is_source;                   /* else a program or library, which has no lines */
	unsigned line, column;            /* 0: not known */
	const struct report_frame *frame; /* NULL: nothing but the program's name is known */
};

/* The innermost frame in the checkout's own sources, else in any sources, else in any object; of
 * frames that a person would name (places.h) where there are some. False for an empty stack. */
bool source_spot(struct source *source, const struct report_stack *stack, struct spot *spot);

/* The event that the finding is best shown at: the first that is more than holding, of those with a
 * stack. NULL: the finding has no event. */
const struct report_event *source_main_event(const struct report_finding *finding);

/* The spot of that event, else the program. Always one. */
struct spot source_finding_spot(struct source *source, const struct report *report,
                                const struct report_finding *finding);

/* One frame's own spot. False when neither file nor object is known. */
bool source_frame_spot(struct source *source, const struct report_frame *frame, struct spot *spot);

#endif
