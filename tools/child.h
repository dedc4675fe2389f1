/* child.h: run the program and stand aside.
 *
 * The child has our stdin, stdout, stderr, process group, terminal, signal mask and dispositions.
 * While it runs, what the terminal sends reaches it directly and does not end us; a signal that
 * somebody sends to us is passed on. Threads: one; changes the signal mask while it runs. */
#ifndef TOOLS_CHILD_H
#define TOOLS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int wait_status; /* as of waitpid */
	int exec_errno;  /* it could not be executed: why; else 0 */
	int interrupt;   /* SIGINT or its like was sent to us too, last this one; 0: none */
	bool timed_out;  /* it was killed for that */
};

/* Run `path` to its end, or for `limit_ns` (0: without a limit). Returns 0, or the errno of what failed before the
 * program was tried. */
int child_run(struct child *child, const char *path, char *const *argv, char *const *environment, uint64_t limit_ns);

/* Its exit status as a shell gives it: 128+N after signal N. */
int child_status(int wait_status);

#endif
