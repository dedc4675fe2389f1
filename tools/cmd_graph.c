/* detect graph: the lock-order graph: DOT, or SVG where Graphviz is there. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dot.h"
#include "fact_sources.h"
#include "graphviz.h"
#include "options.h"
#include "progress.h"
#include "say.h"

enum { KEY_CYCLES_ONLY = 0x100, KEY_ALL_EDGES };
enum { SVG_SECONDS = 120 };

static const char *const formats[] = {"dot", "svg", NULL};
enum format { FORMAT_DOT, FORMAT_SVG };

struct graph_arguments {
	enum format format;
	struct dot_choice choice;
	const char *output;
	struct fact_sources sources;
};

static const struct argp_option rows[] = {
    {"format", 'f', "FORMAT", 0, "dot (default), or svg, which needs Graphviz's dot", 1},
    {"output", 'o', "FILE", 0, "Where the graph goes; stdout by default", 1},
    {"cycles-only", KEY_CYCLES_ONLY, NULL, 0, "Only locks and edges on cycles", 1},
    {"all-edges", KEY_ALL_EDGES, NULL, 0, "Also edges off cycles that follow from other edges", 1},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct graph_arguments *arguments = state->input;

	switch (key) {
	case 'f':
		arguments->format = (enum format)options_word("--format", value, formats);
		return 0;
	case 'o':
		arguments->output = value;
		return 0;
	case KEY_CYCLES_ONLY:
		arguments->choice.cycles_only = true;
		return 0;
	case KEY_ALL_EDGES:
		arguments->choice.all_edges = true;
		return 0;
	case ARGP_KEY_ARG: {
		char *why = fact_sources_add(&arguments->sources, value);
		if (why)
			say_usage("%s", why);
		return 0;
	}
	case ARGP_KEY_NO_ARGS:
		say_usage("which LOG? See 'detect graph --help'");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Into memory first: an earlier file stays until the new graph is there. */
static char *make_dot(const struct report *report, const struct dot_choice *choice, size_t *bytes)
{
	char *dot;
	FILE *out = open_memstream(&dot, bytes);

	if (!out)
		say_out_of_memory();
	dot_write(out, report, choice);
	if (fclose(out) != 0)
		say_out_of_memory();
	return dot;
}

static char *make_svg(char *dot, size_t *bytes)
{
	char *svg;

	switch (graphviz_run(dot, *bytes, "svg", SVG_SECONDS, &svg, bytes)) {
	case GRAPHVIZ_DONE:
		break;
	case GRAPHVIZ_NOT_THERE:
		say_usage("--format=svg: there is no 'dot' in $PATH; install Graphviz, or use --format=dot");
	case GRAPHVIZ_TOO_LONG:
		say_usage("--format=svg: Graphviz needs more than %d seconds for this graph; try "
		          "--cycles-only, or -f html of 'detect report'",
		          SVG_SECONDS);
	case GRAPHVIZ_FAILED:
		say_usage("--format=svg: Graphviz's dot failed; try --format=dot and dot by hand");
	}
	free(dot);
	return svg;
}

static void write_graph(const char *path, const char *text, size_t bytes)
{
	bool to_stdout = !path || strcmp(path, "-") == 0;
	FILE *out = to_stdout ? stdout : fopen(path, "we");

	if (!out)
		say_usage("--output: %s: %s", path, strerror(errno));
	bool written = fwrite(text, 1, bytes, out) == bytes && fflush(out) == 0;
	if (!to_stdout)
		written &= fclose(out) == 0;
	if (!written)
		say_usage("the graph could not be written to %s: %s", to_stdout ? "stdout" : path,
		          strerror(errno));
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "LOG...",
	    .doc =
	        "Draw the lock-order graph: an edge from each lock held to the lock wanted, with the code "
	        "places as tooltips. Red edges are in a finding, orange ones on a cycle. A LOG is a file or "
	        "a folder of them, or what 'detect merge' made of many.",
	};
	static const struct report_settings settings = {.want_graph = true};
	struct graph_arguments arguments = {0};

	fact_sources_open(&arguments.sources);
	options_parse(&argp, argc, argv, 0, &arguments);
	progress_open();
	struct report_builder *builder = report_open(&settings);
	const struct report *report;
	char *why = fact_sources_report(&arguments.sources, builder, NULL, NULL, &report);
	if (why)
		say_usage("%s", why);
	size_t bytes;
	char *text = make_dot(report, &arguments.choice, &bytes);
	if (arguments.format == FORMAT_SVG)
		text = make_svg(text, &bytes);
	progress_close();
	for (size_t i = 0; i < report->notice_count; i++)
		say("%s", report->notices[i]);
	write_graph(arguments.output, text, bytes);
	free(text);
	report_close(builder);
	fact_sources_close(&arguments.sources);
	return STATUS_OK;
}

const struct command cmd_graph = {
    .name = "graph",
    .summary = "draw the lock-order graph",
    .run = run,
};
