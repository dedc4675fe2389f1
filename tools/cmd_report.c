/* detect report: report again from recorded logs. */
#include "command.h"

#include <stdlib.h>

#include "arena.h"
#include "merged.h"
#include "options.h"
#include "say.h"

struct report_arguments {
	struct report_options options;
	struct log_set logs;
	struct store *store; /* merged facts instead of logs */
};

static char *add_argument(struct report_arguments *arguments, const char *place)
{
	if (!arguments->store && !store_is_place(place))
		return logs_add(&arguments->logs, place);
	if (arguments->store || arguments->logs.count)
		return must_printf("%s: merged facts are reported alone; 'detect merge' adds logs to them",
		                   place);
	return store_open(&arguments->store, place, false);
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct report_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case ARGP_KEY_ARG: {
		char *why = add_argument(arguments, value);
		if (why)
			say_usage("%s", why);
		return 0;
	}
	case ARGP_KEY_NO_ARGS:
		say_usage("which LOG? See 'detect report --help'");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(int argc, char **argv)
{
	static const struct argp_child children[] = {{.argp = &report_options_argp}, {0}};
	static const struct argp argp = {
	    .parser = parse,
	    .args_doc = "LOG...",
	    .doc = "Report again from recorded logs. A LOG is a file or a folder of them, or what 'detect "
	           "merge' "
	           "made of many: a file or a postgresql:// URL.",
	    .children = children,
	};
	struct report_arguments arguments = {0};

	options_init(&arguments.options);
	logs_open(&arguments.logs);
	options_parse(&argp, argc, argv, 0, &arguments);
	options_open_report(&arguments.options, stdout);

	const struct report_settings settings = {
	    .prefer_writer = arguments.options.prefer_writer,
	    .want_filtered = arguments.options.verbose,
	    .want_graph = options_want_graph(&arguments.options),
	};
	options_open_progress(&arguments.options);
	struct report_builder *builder = report_open(&settings);
	char *why = arguments.store ? merged_report(builder, arguments.store) : NULL;
	if (why)
		say_usage("%s", why);
	const struct report *report = report_of_logs(builder, &arguments.logs, arguments.options.suppressions,
	                                             arguments.options.baseline);
	options_say_notices(&arguments.options, report);
	int status = STATUS_USAGE;
	if (options_emit(&arguments.options, report))
		status = options_status(&arguments.options, report, STATUS_OK);
	report_close(builder);
	logs_close(&arguments.logs);
	store_close(arguments.store);
	options_close(&arguments.options);
	return status;
}

const struct command cmd_report = {
    .name = "report",
    .summary = "report again from recorded logs",
    .run = run,
};
