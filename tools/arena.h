/* arena.h: memory that is freed all at once.
 *
 * A report is built once, read by one emitter and thrown away: its strings and tables come from an
 * arena, so nobody owns single pieces. Threads: one at a time. Failure: when there is no memory the
 * command ends with a line and status 2, so no call returns NULL. */
#ifndef TOOLS_ARENA_H
#define TOOLS_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* NULL is ignored */

/* Give up all pieces, and keep one block for the next: for work done finding by finding. */
void arena_clear(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t bytes);    /* zeroed, aligned for any type */
char *arena_copy(struct arena *arena, const char *text); /* NULL gives NULL */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For what grows and is freed by its owner: realloc and asprintf that never fail. */
void *must_realloc(void *block, size_t count, size_t item_bytes);
char *must_vprintf(const char *format, va_list arguments);
char *must_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
