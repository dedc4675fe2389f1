/* A thread for each lot of rows, joined before the next is started: there are few lots, so that nothing is
 * gained by one that stays. */
#include "merge_writer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "arena.h"

#define TRIES 20 /* when another writer is in the way */

struct merge_writer {
	struct store *store;
	pthread_t thread;
	bool running;
	struct merge_rows rows; /* being written */
	char *why;
};

static char *put_rows(struct store *store, struct merge_rows *rows)
{
	char *why = store_begin(store);

	for (int table = 0; !why && table < STORE_TABLES; table++)
		why = store_put(store, (enum store_table)table, rows->at[table], rows->count[table]);
	if (!why)
		why = store_commit(store);
	return why;
}

static char *put_with_patience(struct store *store, struct merge_rows *rows)
{
	for (int try = 1;; try++) {
		char *why = put_rows(store, rows);
		if (!why)
			return NULL;
		bool again = try < TRIES && store_may_retry(store);
		store_undo(store);
		if (!again)
			return why;
		free(why);
		usleep((useconds_t)(1000 * try + getpid() % 1000));
	}
}

static void *write_rows(void *context)
{
	struct merge_writer *writer = context;

	writer->why = put_with_patience(writer->store, &writer->rows);
	merge_rows_close(&writer->rows);
	return NULL;
}

static void wait_for_it(struct merge_writer *writer)
{
	if (writer->running)
		pthread_join(writer->thread, NULL);
	writer->running = false;
}

struct merge_writer *merge_writer_open(struct store *store)
{
	struct merge_writer *writer = must_realloc(NULL, 1, sizeof(*writer));

	*writer = (struct merge_writer){.store = store};
	return writer;
}

char *merge_writer_put(struct merge_writer *writer, struct merge_rows *rows)
{
	wait_for_it(writer);
	char *why = writer->why;
	writer->why = NULL;
	if (why) {
		merge_rows_close(rows);
	} else {
		writer->rows = *rows;
		writer->running = pthread_create(&writer->thread, NULL, write_rows, writer) == 0;
		if (!writer->running) /* no more threads: then in this one */
			write_rows(writer);
	}
	merge_rows_open(rows);
	return why;
}

char *merge_writer_close(struct merge_writer *writer)
{
	wait_for_it(writer);
	char *why = writer->why;
	free(writer);
	return why;
}
