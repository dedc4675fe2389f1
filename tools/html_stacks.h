/* html_stacks.h: the stacks of a page, each once, and each frame once: findings and lock orders share most of
 * them.
 *
 * Memory: its own until html_stacks_close; the frames stay the report's. Threads: one.
 * Failure: only the lack of memory, which ends the command. */
#ifndef TOOLS_HTML_STACKS_H
#define TOOLS_HTML_STACKS_H

#include "excerpts.h"

struct html_stacks;

/* `source` and `excerpts` outlive it. */
struct html_stacks *html_stacks_open(struct source *source, struct excerpts *excerpts);
void html_stacks_close(struct html_stacks *stacks);

/* The number of a stack; null for an empty one. */
json_t *html_stacks_add(struct html_stacks *stacks, const struct report_stack *stack);

/* In the order of their numbers; NULL behind the last. A stack is the array of its frames' numbers, with
 * null at its end when there were more; a frame [function, path, line, column, module, offset, inlined,
 * inferred, number of the file in the excerpts, a person would name it]. Frames come after the last stack. */
json_t *html_stacks_next(struct html_stacks *stacks);
json_t *html_stacks_next_frame(struct html_stacks *stacks);

#endif
