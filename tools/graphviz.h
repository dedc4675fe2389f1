/* graphviz.h: run Graphviz's `dot` over a graph.
 *
 * Memory: the answer is the caller's, to be freed. Threads: one; SIGCHLD must not be ignored.
 * Failure: as said by enum graphviz_end; nothing is printed. */
#ifndef TOOLS_GRAPHVIZ_H
#define TOOLS_GRAPHVIZ_H

#include <stddef.h>

enum graphviz_end {
	GRAPHVIZ_DONE,
	GRAPHVIZ_NOT_THERE, /* no `dot` in $PATH */
	GRAPHVIZ_TOO_LONG,  /* stopped after the time */
	GRAPHVIZ_FAILED     /* it says no, or there is no room for its answer */
};

/* `format` is for its option -T. The answer ends with a NUL that `bytes` doesn't count. */
enum graphviz_end graphviz_run(const char *dot, size_t dot_bytes, const char *format, unsigned seconds,
                               char **answer, size_t *bytes);

#endif
