/* The back end for teams. A put sends its rows as one array a column (unnest), some thousands at a time: a
 * round trip a row would take minutes for a million. Reading goes row by row (single-row mode), so that a
 * result never has to fit in memory. */
#include "store.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "say.h"

#define BATCH 5000 /* rows of one statement */

struct postgres {
	PGconn *connection;
	char *place; /* without a password */
	bool may_retry;
};

/* "postgresql://me:secret@host/db" is said without the secret. */
static char *without_password(const char *url)
{
	const char *start = strstr(url, "://") + 3, *end = start + strcspn(start, "/?");
	const char *at = memchr(start, '@', (size_t)(end - start));
	const char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;

	if (!colon)
		return must_printf("%.*s", (int)strcspn(url, "?"), url);
	return must_printf("%.*s%.*s", (int)(colon - url), url, (int)strcspn(at, "?"), at);
}

/* The server's first line; the rest is details and hints. */
static char *complain(struct postgres *postgres, const PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *message = result ? PQresultErrorMessage(result) : PQerrorMessage(postgres->connection);

	postgres->may_retry = state && (strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0);
	return must_printf("%s: %.*s", postgres->place, (int)strcspn(message, "\n"), message);
}

static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

static char *run(void *state, const char *sql)
{
	struct postgres *postgres = state;
	PGresult *result = PQexec(postgres->connection, sql);
	ExecStatusType status = PQresultStatus(result);
	char *why =
	    status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? NULL : complain(postgres, result);

	PQclear(result);
	return why;
}

static char *open_server(void **state, const char *place, bool create)
{
	struct postgres *postgres = must_realloc(NULL, 1, sizeof(*postgres));

	*postgres = (struct postgres){.place = without_password(place), .connection = PQconnectdb(place)};
	*state = postgres;
	if (!postgres->connection)
		say_out_of_memory();
	if (PQstatus(postgres->connection) != CONNECTION_OK)
		return complain(postgres, NULL);
	PQsetNoticeReceiver(postgres->connection, ignore_notice, NULL);
	if (PQsetClientEncoding(postgres->connection, "UTF8"))
		return complain(postgres, NULL);
	(void)create; /* the server has the database, or says so */
	return NULL;
}

static void close_server(void *state)
{
	struct postgres *postgres = state;

	PQfinish(postgres->connection);
	free(postgres->place);
	free(postgres);
}

static void print_element(FILE *out, const union store_value *value, bool is_text)
{
	if (!is_text) {
		fprintf(out, "%lld", (long long)value->number);
	} else if (!value->text) {
		fputs("NULL", out);
	} else {
		fputc('"', out);
		for (const char *c = value->text; *c; c++) {
			if (*c == '"' || *c == '\\')
				fputc('\\', out);
			fputc(*c, out);
		}
		fputc('"', out);
	}
}

/* One column as an array literal. */
static char *print_array(const struct store_row *rows, size_t count, size_t column, bool is_text)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		say_out_of_memory();
	fputc('{', out);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc(',', out);
		print_element(out, &rows[i].values[column], is_text);
	}
	fputc('}', out);
	if (fclose(out))
		say_out_of_memory();
	return text;
}

static char *make_insert(const struct store_schema *schema)
{
	char *head = store_insert_head(schema), *tail = store_insert_tail(schema),
	     *arrays = must_printf("%s", "");

	for (size_t i = 0; schema->columns[i].name; i++) {
		char *longer = must_printf("%s%s$%zu::%s[]", arrays, i ? ", " : "", i + 1,
		                           schema->columns[i].is_text ? "text" : "bigint");
		free(arrays);
		arrays = longer;
	}
	char *sql = must_printf("%sSELECT * FROM unnest(%s)%s", head, arrays, tail);
	free(head);
	free(tail);
	free(arrays);
	return sql;
}

static char *put_batch(struct postgres *postgres, const struct store_schema *schema, const char *sql,
                       const struct store_row *rows, size_t count)
{
	size_t columns = store_column_count(schema);
	char *arrays[STORE_COLUMNS_MAX];

	for (size_t i = 0; i < columns; i++)
		arrays[i] = print_array(rows, count, i, schema->columns[i].is_text);
	PGresult *result = PQexecParams(postgres->connection, sql, (int)columns, NULL,
	                                (const char *const *)arrays, NULL, NULL, 0);
	char *why = PQresultStatus(result) == PGRES_COMMAND_OK ? NULL : complain(postgres, result);
	PQclear(result);
	for (size_t i = 0; i < columns; i++)
		free(arrays[i]);
	return why;
}

static char *put(void *state, enum store_table table, const struct store_row *rows, size_t count)
{
	const struct store_schema *schema = &store_schemas[table];
	char *sql = make_insert(schema), *why = NULL;

	for (size_t done = 0; !why && done < count; done += BATCH)
		why = put_batch(state, schema, sql, rows + done, count - done < BATCH ? count - done : BATCH);
	free(sql);
	return why;
}

static void visit_row(const PGresult *result, enum store_table table, store_visit *visit, void *context)
{
	struct store_row row = {0};

	for (int c = 0; c < PQnfields(result) && c < STORE_COLUMNS_MAX; c++) {
		bool is_text = table == STORE_TABLES || store_schemas[table].columns[c].is_text;
		const char *value = PQgetisnull(result, 0, c) ? NULL : PQgetvalue(result, 0, c);
		if (is_text)
			row.values[c].text = value;
		else
			row.values[c].number = value ? strtoll(value, NULL, 10) : 0;
	}
	visit(context, &row);
}

static char *read_rows(void *state, const char *sql, enum store_table table, store_visit *visit,
                       void *context)
{
	struct postgres *postgres = state;
	PGresult *result;
	char *why = NULL;

	if (!PQsendQuery(postgres->connection, sql) || !PQsetSingleRowMode(postgres->connection))
		why = complain(postgres, NULL);
	while ((result = PQgetResult(postgres->connection))) {
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
			visit_row(result, table, visit, context);
		else if (PQresultStatus(result) != PGRES_TUPLES_OK && !why)
			why = complain(postgres, result);
		PQclear(result);
	}
	return why;
}

static bool may_retry(const void *state)
{
	return ((const struct postgres *)state)->may_retry;
}

const struct store_backend store_postgres = {
    .open = open_server,
    .close = close_server,
    .run = run,
    .put = put,
    .read = read_rows,
    .may_retry = may_retry,
    .begin = "BEGIN",
    /* Two that make the tables at once would meet in the catalogue: one after the other. */
    .guard = "SELECT pg_advisory_xact_lock(7235413)",
    .table_end = "",
};
