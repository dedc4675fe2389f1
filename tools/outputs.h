/* outputs.h: reports besides the main one, each in a format of its own: --format=sarif:out.sarif.
 *
 * Memory: outputs_close frees; paths are kept, not copied. Threads: one. Failure: a line that says
 * which file and why. */
#ifndef TOOLS_OUTPUTS_H
#define TOOLS_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "emit.h"

struct output {
	const struct emitter *emitter;
	const char *path; /* "-": stdout */
	FILE *file;       /* NULL: not open */
};

struct outputs {
	struct output *list;
	size_t count;
};

/* An all-zero struct outputs is empty. */
void outputs_add(struct outputs *outputs, const struct emitter *emitter, const char *path);
void outputs_close(struct outputs *outputs);

/* Open a report's file, "-" for stdout, without cutting off what it holds: an earlier report stays until
 * there is a new one. NULL: errno says why. */
FILE *outputs_open_file(const char *path);

/* Cut off what a regular file still holds. False: errno says why. */
bool outputs_empty_file(FILE *file);

/* Open all, before anything is run. `main` is the main report's file: no two may share a file, since they
 * would overwrite each other. Returns NULL, or why not: one line, to be freed. */
char *outputs_open(struct outputs *outputs, FILE *main);

/* Write all; `like` has all but where to and what for. Says what went wrong, and is false then. */
bool outputs_write(struct outputs *outputs, const struct emit *like);

#endif
