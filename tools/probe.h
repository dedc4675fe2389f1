/* probe.h: run something short and keep what it said. For `detect doctor`.
 *
 * Memory: probe_close frees the text. Threads: one. */
#ifndef TOOLS_PROBE_H
#define TOOLS_PROBE_H

#include <stdbool.h>

struct probe {
	int error;       /* errno of what kept it from being run; else 0 */
	bool timed_out;  /* ended by us */
	int wait_status; /* as of waitpid */
	char *text;      /* what came on stdout and stderr, cut when long */
};

/* Run `path` with stdin from /dev/null, for PROBE_SECONDS at most. */
void probe_run(struct probe *probe, const char *path, char *const *argv, char *const *environment);
void probe_close(struct probe *probe);

/* The line of its text that has `words` in it, cut at its end, to be freed; NULL: none. */
char *probe_line(const struct probe *probe, const char *words);

#endif
