/* detect export: what a log has over time, for the tools that show time. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>


#include "options.h"
#include "progress.h"
#include "say.h"
#include "store.h"
#include "timeline.h"

static const char *const formats[] = {"perfetto", NULL};

struct export_arguments {
	const char *output;
	struct log_set logs;
};

static const struct argp_option rows[] = {
    {"format", 'f', "FORMAT", 0,
     "perfetto: a Chrome trace, for ui.perfetto.dev or chrome://tracing (the default)", 0},
    {"output", 'o', "FILE", 0, "Where it goes; stdout by default", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct export_arguments *arguments = state->input;

	switch (key) {
	case 'f':
		options_word("--format", value, formats);
		return 0;
	case 'o':
		arguments->output = value;
		return 0;
	case ARGP_KEY_ARG: {
		if (store_is_place(value)) /* a URL may have a password in it */
			say_usage("%s: merged facts have no times of holds and waits: export the logs they were merged from "
			          "('detect export LOG...')",
			          strstr(value, "://") ? "that database" : value);
		char *why = logs_add(&arguments->logs, value);
		if (why)
			say_usage("%s", why);
		return 0;
	}
	case ARGP_KEY_NO_ARGS:
		say_usage("which LOG? See 'detect export --help'");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static uint32_t export_log(struct timeline *timeline, const struct log_file *log, struct symbols *symbols)
{
	struct dt_facts *facts;
	uint64_t bad_offset = 0;

	enum dt_err err = logs_read(log, &facts, &bad_offset);
	if (err)
		say("%s: corrupt at offset %llu; what came before it is exported", log->path,
		    (unsigned long long)bad_offset);
	struct arena *arena = arena_new();
	struct resolve *resolve = resolve_open(facts, symbols, arena);
	uint32_t count = timeline_add(timeline, resolve);
	uint64_t lost = dt_facts_counter(facts, DT_COUNT_INTERVALS_LOST);
	if (lost)
		say("%s: %llu later holds and waits were sampled and not kept: the timeline ends early",
		    log->path, (unsigned long long)lost);
	resolve_close(resolve);
	arena_free(arena);
	dt_facts_free(facts);
	return count;
}

static uint32_t export_logs(FILE *out, struct log_set *logs)
{
	struct symbols *symbols = symbols_open();
	struct timeline *timeline;
	uint32_t count = 0;

	if (!symbols)
		say_out_of_memory();
	logs_sort(logs);
	timeline = timeline_open(out);
	for (size_t i = 0; i < logs->count; i++) {
		progress_show("log", i + 1, logs->count, logs->files[i].path);
		count += export_log(timeline, &logs->files[i], symbols);
	}
	timeline_close(timeline);
	symbols_close(symbols);
	return count;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "LOG...",
	    .doc = "Export when locks were held and waited for, by thread, as far as it was sampled. A LOG "
	           "is a file "
	           "or a folder of them.",
	};
	struct export_arguments arguments = {0};

	logs_open(&arguments.logs);
	options_parse(&argp, argc, argv, 0, &arguments);
	FILE *out = arguments.output ? outputs_open_file(arguments.output) : stdout;
	if (!out || !outputs_empty_file(out))
		say_usage("--output: %s: %s", arguments.output, strerror(errno));
	progress_open();
	uint32_t count = export_logs(out, &arguments.logs);
	progress_close();
	bool written = fflush(out) == 0 && !ferror(out);
	if (out != stdout)
		written &= fclose(out) == 0;
	if (!written)
		say_usage("the trace could not be written: %s", strerror(errno));
	for (size_t i = 0; i < arguments.logs.notice_count; i++)
		say("%s", arguments.logs.notices[i]);
	if (!count)
		say("no hold and no wait was timed in these logs: the trace is empty");
	logs_close(&arguments.logs);
	return STATUS_OK;
}

const struct command cmd_export = {
    .name = "export",
    .summary = "holds and waits over time, for Perfetto",
    .run = run,
};
