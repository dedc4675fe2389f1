/* program.h: find PROGRAM as the shell would, and see beforehand whether it can be preloaded.
 *
 * The dynamic loader ignores or never sees LD_PRELOAD in a static or set-user-ID program, which
 * then would run unwatched and look clean. So such a program is refused. Threads: one. */
#ifndef TOOLS_PROGRAM_H
#define TOOLS_PROGRAM_H

#include <stdbool.h>

#include "child.h"

struct program {
	char *path;        /* to execute; NULL when it can't be */
	char *elf;         /* what the kernel loads in the end: `path`, or its interpreter; NULL: not known */
	char *loader;      /* the dynamic loader that it asks for; NULL: not known */
	bool shell_script; /* neither ELF nor #!: /bin/sh runs it, as execvp has it */
	int status;        /* of the contract: 126 or 127; 0 when it can be run */
	char *why;         /* one line, with status */
	const char *mend;  /* what to do about it */
};

/* Find `name` in PATH when it has no slash, and check it and the interpreters it names.
 * The caller frees it with program_close. */
void program_find(struct program *program, const char *name);
void program_close(struct program *program);

/* Run it to its end, or for `limit_ns` (0: without a limit): child_run's, for shell scripts too. */
int program_run(const struct program *program, struct child *child, char **argv, char *const *environment,
                uint64_t limit_ns);

#endif
