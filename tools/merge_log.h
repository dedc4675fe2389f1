/* merge_log.h: one run's log into rows of the store: what it did, in terms that other runs share.
 *
 *   lock     a global by its name and where it is defined; any other by its class name and where it was made
 *   stack    its functions and lines, without paths and addresses
 *   role     what a thread was started to do; all main threads are one role
 *   phase    how a segment lies to the run's other roles: before they start, after they end, or during
 *
 * So the same code has the same rows in another run, build or machine. Several locks of one run that share a
 * row make it plural: it stands for a class. Two threads of one role at a time make the role plural.
 *
 * Memory: the rows' until merge_rows_close. Threads: one. Failure: only the lack of memory, which ends the
 * command. */
#ifndef TOOLS_MERGE_LOG_H
#define TOOLS_MERGE_LOG_H

#include "logs.h"
#include "store.h"
#include "symbols.h"

struct merge_rows {
	struct store_row *at[STORE_TABLES];
	size_t count[STORE_TABLES], room[STORE_TABLES];
	struct arena *arena; /* the texts' */
};

void merge_rows_open(struct merge_rows *rows);
void merge_rows_close(struct merge_rows *rows);
/* Rows of all tables. */
size_t merge_rows_total(const struct merge_rows *rows);

/* Add a log's. `logs`: where findings between processes look up the others; may be NULL. */
void merge_log_read(struct merge_rows *rows, const struct log_file *log, const struct log_set *logs,
                    struct symbols *symbols, bool prefer_writer);

#endif
