/* detect report: report again from recorded logs. */
#include "command.h"

#include <stdlib.h>

#include "fact_sources.h"
#include "options.h"
#include "say.h"

struct report_arguments {
	struct report_options options;
	struct fact_sources sources;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct report_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case ARGP_KEY_ARG: {
		char *why = fact_sources_add(&arguments->sources, value);
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
	fact_sources_open(&arguments.sources);
	options_parse(&argp, argc, argv, 0, &arguments);
	options_open_report(&arguments.options, stdout);

	const struct report_settings settings = {
	    .prefer_writer = arguments.options.prefer_writer,
	    .want_filtered = arguments.options.verbose,
	    .want_graph = options_want_graph(&arguments.options),
	    .claims = &arguments.options.claims,
	};
	options_open_progress(&arguments.options);
	struct report_builder *builder = report_open(&settings);
	const struct report *report;
	char *why = fact_sources_report(&arguments.sources, builder, arguments.options.suppressions,
	                                arguments.options.baseline, &report);
	if (why)
		say_usage("%s", why);
	options_say_notices(&arguments.options, report);
	int status = STATUS_USAGE;
	if (options_emit(&arguments.options, report))
		status = options_status(&arguments.options, report, STATUS_OK);
	report_close(builder);
	fact_sources_close(&arguments.sources);
	options_close(&arguments.options);
	return status;
}

const struct command cmd_report = {
    .name = "report",
    .summary = "report again from recorded logs",
    .run = run,
};
