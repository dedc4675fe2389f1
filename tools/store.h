/* store.h: the merged facts of many runs in a database: a SQLite file, or a PostgreSQL server.
 *
 * The same tables in both (store_schema.c). Every key is made of what it stands for (hash.h), so that putting
 * something in twice changes nothing, and many can put at once. Rows of one put are in order of their keys,
 * and a transaction fills the tables in order of enum store_table: so no two writers wait for each other
 * in a circle.
 *
 * Memory: the store's; what a visitor is given is good during the call. Threads: one a store.
 * Failure: a line that says what and where, to be freed; the transaction is undone. */
#ifndef TOOLS_STORE_H
#define TOOLS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_table {
	STORE_RUN,
	STORE_LOCK,
	STORE_STACK,
	STORE_ROLE,
	STORE_PHASE,
	STORE_ACQ,
	STORE_SEEN,
	STORE_FINDING,
	STORE_FINDING_RUN,
	STORE_TABLES
};

enum { STORE_COLUMNS_MAX = 14 };

/* A column is a number or a text. */
struct store_column {
	const char *name;
	bool is_text;
};

struct store_schema {
	const char *name;
	struct store_column columns[STORE_COLUMNS_MAX + 1]; /* the key's come first */
	size_t key_count;
	const char *order;  /* store_read's; NULL: the key's */
	size_t rank;        /* the column by which the greater row counts; 0: all with one key are the same */
	const char *update; /* behind ON CONFLICT (key) DO: what a second put changes; the same */
};
extern const struct store_schema store_schemas[STORE_TABLES];

#define STORE_FORMAT "libdetect-facts"
#define STORE_VERSION "1"

size_t store_column_count(const struct store_schema *schema);

union store_value {
	int64_t number;
	const char *text; /* valid UTF-8; NULL is NULL */
};

struct store_row {
	union store_value values[STORE_COLUMNS_MAX];
};

struct store;

/* Whether a place is a database: a postgresql:// URL, or a file that SQLite made. */
bool store_is_place(const char *place);

/* `create`: make the file and the tables where there are none; else they must be there. */
char *store_open(struct store **store, const char *place, bool create);
void store_close(struct store *store);

char *store_begin(struct store *store);
char *store_commit(struct store *store);
void store_undo(struct store *store);

/* Rows are sorted by key here; of several with one key the greatest counts. */
char *store_put(struct store *store, enum store_table table, struct store_row *rows, size_t count);

/* Whether it would serve to try the transaction again: another writer was in the way. */
bool store_may_retry(const struct store *store);

typedef void store_visit(void *context, const struct store_row *row);
/* All columns of the table's rows, in the schema's order; `where` may be NULL. */
char *store_read(struct store *store, enum store_table table, const char *where, store_visit *visit,
                 void *context);

/* A back end. */
struct store_backend {
	char *(*open)(void **state, const char *place, bool create);
	void (*close)(void *state);
	char *(*run)(void *state, const char *sql); /* without a result */
	char *(*put)(void *state, enum store_table table, const struct store_row *rows, size_t count);
	/* Columns as the table's; STORE_TABLES: all are texts. */
	char *(*read)(void *state, const char *sql, enum store_table table, store_visit *visit,
	              void *context);
	bool (*may_retry)(const void *state);
	const char *begin;     /* a transaction */
	const char *guard;     /* the first statement of the one that makes the tables; NULL: none */
	const char *table_end; /* behind a table's definition */
};
extern const struct store_backend store_sqlite, store_postgres;

/* "INSERT INTO …" up to the values; and "ON CONFLICT …" behind them. To be freed. */
char *store_insert_head(const struct store_schema *schema);
char *store_insert_tail(const struct store_schema *schema);

#endif
