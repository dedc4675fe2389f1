/* detect merge: one body of facts out of many runs. One log at a time is in memory, and rows until there are
 * enough of them for a transaction: a database writes many in the order of their keys far faster than one by
 * one. They are written while the next logs are read. */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "logs.h"
#include "merge_log.h"
#include "merge_writer.h"
#include "options.h"
#include "progress.h"
#include "say.h"
#include "store.h"

#define BATCH 200000       /* rows of a transaction, or one log's */
#define KNOWN_STACKS 50000 /* then the symbols' memory starts anew */

enum { KEY_PREFER_WRITER = 0x100 };

struct merge_arguments {
	struct log_set logs;
	const char *output;
	bool prefer_writer, quiet;
};

static const struct argp_option rows[] = {
    {"output", 'o', "OUT", 0,
     "SQLite file, made if it is not there, or postgresql://... of a database that exists", 1},
    {"prefer-writer", KEY_PREFER_WRITER, NULL, 0,
     "Take every rwlock as one where a waiting writer holds back new readers", 1},
    {"quiet", 'q', NULL, 0, "Say nothing when all went well", 1},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct merge_arguments *arguments = state->input;
	char *why;

	switch (key) {
	case 'o':
		arguments->output = value;
		return 0;
	case 'q':
		arguments->quiet = true;
		return 0;
	case KEY_PREFER_WRITER:
		arguments->prefer_writer = true;
		return 0;
	case ARGP_KEY_ARG:
		why = logs_add(&arguments->logs, value);
		if (why)
			say_usage("%s", why);
		return 0;
	case ARGP_KEY_NO_ARGS:
		say_usage("which LOG? See 'detect merge --help'");
	case ARGP_KEY_END:
		if (!arguments->output)
			say_usage("where to? -o facts.db or -o postgresql://HOST/DATABASE; see 'detect merge "
			          "--help'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static struct symbols *open_symbols(void)
{
	struct symbols *symbols = symbols_open();

	if (!symbols)
		say_out_of_memory();
	return symbols;
}

static char *merge_logs(struct store *store, const struct merge_arguments *arguments)
{
	const struct log_set *logs = &arguments->logs;
	struct symbols *symbols = open_symbols();
	struct merge_rows merged;
	struct merge_writer *writer = merge_writer_open(store);
	size_t stacks = 0;
	char *why = NULL;

	merge_rows_open(&merged);
	for (size_t i = 0; !why && i < logs->count; i++) {
		progress_show("log", i + 1, logs->count, logs->files[i].path);
		merge_log_read(&merged, &logs->files[i], logs, symbols, arguments->prefer_writer);
		logs_rest(&logs->files[i]);
		if (i + 1 < logs->count && merge_rows_total(&merged) < BATCH)
			continue;
		stacks += merged.count[STORE_STACK];
		why = merge_writer_put(writer, &merged);
		if (stacks > KNOWN_STACKS) {
			symbols_close(symbols);
			symbols = open_symbols();
			stacks = 0;
		}
	}
	merge_rows_close(&merged);
	symbols_close(symbols);
	char *last = merge_writer_close(writer);
	if (!why)
		return last;
	free(last);
	return why;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "LOG...",
	    .doc = "Join what many runs did, of any build and on any machine, by locks and code places. "
	           "'detect report OUT' then finds the cycles too whose parts come from different runs. "
	           "Merging a log again changes nothing; many can merge into one OUT at a time.",
	};
	struct merge_arguments arguments = {0};
	struct store *store;

	logs_open(&arguments.logs);
	options_parse(&argp, argc, argv, 0, &arguments);
	char *why = store_open(&store, arguments.output, true);
	if (why)
		say_usage("%s", why);
	if (!arguments.quiet)
		progress_open();
	logs_sort(&arguments.logs);
	why = merge_logs(store, &arguments);
	progress_close();
	for (size_t i = 0; i < arguments.logs.notice_count; i++)
		say("%s", arguments.logs.notices[i]);
	store_close(store);
	if (why)
		say_usage("%s", why);
	if (!arguments.quiet)
		printf("merged %zu log%s\n", arguments.logs.count, arguments.logs.count == 1 ? "" : "s");
	logs_close(&arguments.logs);
	return STATUS_OK;
}

const struct command cmd_merge = {
    .name = "merge",
    .summary = "join the facts of many runs into one database",
    .run = run,
};
