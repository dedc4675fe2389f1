/* mapped.h: files that are read where they are mapped.
 *
 * A file that somebody cuts short while we read it has no pages any more where it had some, and the kernel
 * says so with SIGBUS. Then the command ends with one line that names the file, and STATUS_USAGE. (A copy in
 * memory would be safe from that, but a log can have a gigabyte, and that of a running process grows.)
 *
 * Memory: of each mapping a line is kept until mapped_close. Threads: one opens and closes; any may read. */
#ifndef TOOLS_MAPPED_H
#define TOOLS_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

/* The first `bytes` (at least one) of an open file, to be read; `shared` shows what others write meanwhile.
 * NULL: it can't be mapped, with errno. */
void *mapped_open(const char *path, int fd, size_t bytes, bool shared);
void mapped_close(const void *start, size_t bytes);

#endif
