/* merge_writer.h: rows into the store, in a thread of its own while the next logs are read: each takes about
 * half of the time of merging.
 *
 * Memory: rows that are put belong to the writer; two lots of them are in memory at a time, one that is
 * written and one that is made. Threads: the store is the writer's from open to close; the calls are for one
 * thread. Failure: a line, to be freed; what was put after it is dropped. */
#ifndef TOOLS_MERGE_WRITER_H
#define TOOLS_MERGE_WRITER_H

#include "merge_log.h"
#include "store.h"

struct merge_writer;

struct merge_writer *merge_writer_open(struct store *store);

/* One transaction. Waits for the one before, and returns why that failed. `rows` is empty then. */
char *merge_writer_put(struct merge_writer *writer, struct merge_rows *rows);

/* Waits for the last one, and frees. */
char *merge_writer_close(struct merge_writer *writer);

#endif
