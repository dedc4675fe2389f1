/* The embedded back end. Written in WAL mode, where a commit costs no fsync and readers don't wait; at the
 * end back to one plain file, unless others still write. While one of many writers changes the mode the
 * others are told "busy" at once, without SQLite's own wait: so we wait here. */
#include "store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "say.h"

#define BUSY_MS  60000 /* for another writer's transaction */
#define PAUSE_MS 5     /* for its change of the mode */

struct sqlite {
	sqlite3 *db;
	char *place;
	sqlite3_stmt *insert[STORE_TABLES];
	bool created;
};

static char *complain(const struct sqlite *sqlite)
{
	if (sqlite3_errcode(sqlite->db) == SQLITE_NOMEM)
		say_out_of_memory();
	return must_printf("%s: %s", sqlite->place, sqlite3_errmsg(sqlite->db));
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether what began at `since_ms` and came to `result` is worth another try; then after a pause. */
static bool pause_if_busy(int result, int64_t since_ms)
{
	if ((result & 0xff) != SQLITE_BUSY || now_ms() - since_ms >= BUSY_MS)
		return false;
	usleep(PAUSE_MS * 1000);
	return true;
}

static char *run(void *state, const char *sql)
{
	struct sqlite *sqlite = state;
	int64_t since_ms = now_ms();
	int result;

	do
		result = sqlite3_exec(sqlite->db, sql, NULL, NULL, NULL);
	while (pause_if_busy(result, since_ms));
	return result == SQLITE_OK ? NULL : complain(sqlite);
}

static char *open_file(void **state, const char *place, bool create)
{
	struct sqlite *sqlite = must_realloc(NULL, 1, sizeof(*sqlite));
	int flags = create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	char *why = NULL;

	*sqlite = (struct sqlite){.place = must_printf("%s", place), .created = create};
	*state = sqlite;
	if (sqlite3_open_v2(place, &sqlite->db, flags, NULL) != SQLITE_OK)
		return complain(sqlite);
	sqlite3_busy_timeout(sqlite->db, BUSY_MS);
	if (create) {
		why = run(sqlite, "PRAGMA journal_mode=WAL");
		if (!why)
			why = run(sqlite, "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-98304; PRAGMA "
			                  "wal_autocheckpoint=32768");
	}
	return why;
}

static void close_file(void *state)
{
	struct sqlite *sqlite = state;

	for (int i = 0; i < STORE_TABLES; i++)
		sqlite3_finalize(sqlite->insert[i]);
	if (sqlite->created) {
		sqlite3_busy_timeout(sqlite->db, 0);
		sqlite3_exec(sqlite->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
	}
	sqlite3_close(sqlite->db);
	free(sqlite->place);
	free(sqlite);
}

static char *prepare(struct sqlite *sqlite, enum store_table table)
{
	const struct store_schema *schema = &store_schemas[table];
	char *head = store_insert_head(schema), *tail = store_insert_tail(schema);
	char marks[2 * STORE_COLUMNS_MAX + 1] = "";

	for (size_t i = 0; schema->columns[i].name; i++)
		strcat(marks, i ? ",?" : "?");
	char *sql = must_printf("%sVALUES (%s)%s", head, marks, tail);
	int result =
	    sqlite3_prepare_v3(sqlite->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &sqlite->insert[table], NULL);
	free(head);
	free(tail);
	free(sql);
	return result == SQLITE_OK ? NULL : complain(sqlite);
}

static char *put(void *state, enum store_table table, const struct store_row *rows, size_t count)
{
	struct sqlite *sqlite = state;
	const struct store_column *columns = store_schemas[table].columns;
	char *why = sqlite->insert[table] ? NULL : prepare(sqlite, table);

	for (size_t r = 0; !why && r < count; r++) {
		sqlite3_stmt *insert = sqlite->insert[table];
		for (int c = 0; columns[c].name; c++) {
			const union store_value *value = &rows[r].values[c];
			if (columns[c].is_text)
				sqlite3_bind_text(insert, c + 1, value->text, -1, SQLITE_STATIC);
			else
				sqlite3_bind_int64(insert, c + 1, value->number);
		}
		if (sqlite3_step(insert) != SQLITE_DONE)
			why = complain(sqlite);
		sqlite3_reset(insert);
	}
	return why;
}

static char *read_rows(void *state, const char *sql, enum store_table table, store_visit *visit,
                       void *context)
{
	struct sqlite *sqlite = state;
	struct store_row row = {0};
	sqlite3_stmt *select;
	int64_t since_ms = now_ms();
	int result;

	do
		result = sqlite3_prepare_v2(sqlite->db, sql, -1, &select, NULL);
	while (pause_if_busy(result, since_ms));
	if (result != SQLITE_OK)
		return complain(sqlite);
	do /* busy is what the first row can be, no later one */
		result = sqlite3_step(select);
	while (pause_if_busy(result, since_ms));
	for (; result == SQLITE_ROW; result = sqlite3_step(select)) {
		for (int c = 0; c < sqlite3_column_count(select) && c < STORE_COLUMNS_MAX; c++) {
			bool is_text = table == STORE_TABLES || store_schemas[table].columns[c].is_text;
			if (is_text)
				row.values[c].text = (const char *)sqlite3_column_text(select, c);
			else
				row.values[c].number = sqlite3_column_int64(select, c);
		}
		visit(context, &row);
	}
	char *why = result == SQLITE_DONE ? NULL : complain(sqlite);
	sqlite3_finalize(select);
	return why;
}

static bool may_retry(const void *state)
{
	const struct sqlite *sqlite = state;
	int code = sqlite3_errcode(sqlite->db);

	return code == SQLITE_BUSY || code == SQLITE_LOCKED;
}

const struct store_backend store_sqlite = {
    .open = open_file,
    .close = close_file,
    .run = run,
    .put = put,
    .read = read_rows,
    .may_retry = may_retry,
    .begin = "BEGIN IMMEDIATE",
    .table_end = "",
};
