/* What both back ends share: which one, the tables and whether they are ours, the order of rows. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"

struct store {
	const struct store_backend *backend;
	void *state;
	char *place;
};

size_t store_column_count(const struct store_schema *schema)
{
	size_t count = 0;

	while (schema->columns[count].name)
		count++;
	return count;
}

static bool is_url(const char *place)
{
	return strncmp(place, "postgresql://", 13) == 0 || strncmp(place, "postgres://", 11) == 0;
}

bool store_is_place(const char *place)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)];
	struct stat st;
	FILE *file;

	if (is_url(place))
		return true;
	if (stat(place, &st) < 0 || !S_ISREG(st.st_mode)) /* a FIFO would hang us */
		return false;
	file = fopen(place, "re");
	bool ours = file && fread(head, sizeof(head), 1, file) == 1 && memcmp(head, magic, sizeof(head)) == 0;
	if (file)
		fclose(file);
	return ours;
}

static char *append(char *text, const char *more)
{
	char *longer = must_printf("%s%s", text, more);

	free(text);
	return longer;
}

char *store_insert_head(const struct store_schema *schema)
{
	char *sql = must_printf("INSERT INTO %s (", schema->name);

	for (size_t i = 0; schema->columns[i].name; i++) {
		sql = append(sql, i ? ", " : "");
		sql = append(sql, schema->columns[i].name);
	}
	return append(sql, ") ");
}

char *store_insert_tail(const struct store_schema *schema)
{
	char *sql = must_printf(" ON CONFLICT (");

	for (size_t i = 0; i < schema->key_count; i++) {
		sql = append(sql, i ? ", " : "");
		sql = append(sql, schema->columns[i].name);
	}
	sql = append(sql, ") DO ");
	return append(sql, schema->update);
}

static char *create_table(struct store *store, const struct store_schema *schema)
{
	char *sql = must_printf("CREATE TABLE IF NOT EXISTS %s (", schema->name);

	for (size_t i = 0; schema->columns[i].name; i++) {
		char *column = must_printf("%s%s", schema->columns[i].name,
		                           schema->columns[i].is_text ? " TEXT, " : " BIGINT, ");
		sql = append(sql, column);
		free(column);
	}
	sql = append(sql, "PRIMARY KEY (");
	for (size_t i = 0; i < schema->key_count; i++) {
		sql = append(sql, i ? ", " : "");
		sql = append(sql, schema->columns[i].name);
	}
	sql = append(sql, "))");
	sql = append(sql, store->backend->table_end);
	char *why = store->backend->run(store->state, sql);
	free(sql);
	return why;
}

/* The version is a row of a table of its own, so that a later detect can tell. */
static const struct store_schema meta = {
    .name = "detect_meta", .columns = {{"name", true}, {"value", true}}, .key_count = 1, .update = "NOTHING"};

static char *create_tables(struct store *store)
{
	char *why = store_begin(store);

	if (!why && store->backend->guard)
		why = store->backend->run(store->state, store->backend->guard);
	if (!why)
		why = create_table(store, &meta);
	for (int i = 0; !why && i < STORE_TABLES; i++)
		why = create_table(store, &store_schemas[i]);
	if (!why)
		why = store->backend->run(store->state,
		                          "INSERT INTO detect_meta (name, value) VALUES ('" STORE_FORMAT
		                          "', '" STORE_VERSION "') ON CONFLICT (name) DO NOTHING");
	if (!why)
		return store_commit(store);
	store_undo(store);
	return why;
}

static void take_version(void *context, const struct store_row *row)
{
	char **version = context;

	if (row->values[0].text && strcmp(row->values[0].text, STORE_FORMAT) == 0 && !*version)
		*version = must_printf("%s", row->values[1].text ? row->values[1].text : "");
}

static char *check_version(struct store *store)
{
	char *version = NULL;
	char *why = store->backend->read(store->state, "SELECT name, value FROM detect_meta", STORE_TABLES,
	                                 take_version, &version);

	if (why) {
		free(why);
		return must_printf("%s: no database of merged facts; 'detect merge -o %s LOG...' makes one",
		                   store->place, store->place);
	}
	if (!version)
		why = must_printf("%s: a database without libdetect's mark", store->place);
	else if (strcmp(version, STORE_VERSION))
		why = must_printf(
		    "%s: merged facts of version %s, but this detect reads version " STORE_VERSION,
		    store->place, version);
	free(version);
	return why;
}

char *store_open(struct store **out, const char *place, bool create)
{
	struct store *store = must_realloc(NULL, 1, sizeof(*store));
	char *why;

	*store = (struct store){.backend = is_url(place) ? &store_postgres : &store_sqlite,
	                        .place = must_printf("%s", place)};
	why = store->backend->open(&store->state, place, create);
	if (!why && create)
		why = create_tables(store);
	if (!why)
		why = check_version(store);
	if (!why) {
		*out = store;
		return NULL;
	}
	store_close(store);
	return why;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->state)
		store->backend->close(store->state);
	free(store->place);
	free(store);
}

char *store_begin(struct store *store)
{
	return store->backend->run(store->state, store->backend->begin);
}

char *store_commit(struct store *store)
{
	return store->backend->run(store->state, "COMMIT");
}

void store_undo(struct store *store)
{
	free(store->backend->run(store->state, "ROLLBACK"));
}

bool store_may_retry(const struct store *store)
{
	return store->backend->may_retry(store->state);
}

/* By key, then rank. */
static int compare_rows(const void *left, const void *right, void *context)
{
	const struct store_row *a = left, *b = right;
	const struct store_schema *schema = context;

	for (size_t i = 0; i <= schema->key_count; i++) {
		size_t column = i < schema->key_count ? i : schema->rank;
		if (a->values[column].number != b->values[column].number)
			return a->values[column].number < b->values[column].number ? -1 : 1;
	}
	return 0;
}

static bool is_same_key(const struct store_row *a, const struct store_row *b, size_t key_count)
{
	for (size_t i = 0; i < key_count; i++)
		if (a->values[i].number != b->values[i].number)
			return false;
	return true;
}

char *store_put(struct store *store, enum store_table table, struct store_row *rows, size_t count)
{
	struct store_schema schema = store_schemas[table];
	size_t kept = 0;

	if (count == 0)
		return NULL;
	qsort_r(rows, count, sizeof(*rows), compare_rows, &schema);
	for (size_t i = 1; i < count; i++) {
		if (!is_same_key(&rows[kept], &rows[i], schema.key_count))
			kept++;
		rows[kept] = rows[i];
	}
	return store->backend->put(store->state, table, rows, kept + 1);
}

char *store_read(struct store *store, enum store_table table, const char *where, store_visit *visit,
                 void *context)
{
	const struct store_schema *schema = &store_schemas[table];
	char *sql = must_printf("SELECT ");

	for (size_t i = 0; schema->columns[i].name; i++) {
		sql = append(sql, i ? ", " : "");
		sql = append(sql, schema->columns[i].name);
	}
	sql = append(sql, " FROM ");
	sql = append(sql, schema->name);
	if (where) {
		sql = append(sql, " WHERE ");
		sql = append(sql, where);
	}
	sql = append(sql, " ORDER BY ");
	for (size_t i = 0; !schema->order && i < schema->key_count; i++) {
		sql = append(sql, i ? ", " : "");
		sql = append(sql, schema->columns[i].name);
	}
	if (schema->order)
		sql = append(sql, schema->order);
	char *why = store->backend->read(store->state, sql, table, visit, context);
	free(sql);
	return why;
}
