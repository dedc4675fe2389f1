/* argp prints two lines for a wrong option (what is wrong, and where the help is). The second goes
 * to a stream that swallows it; our own messages go through say_usage. */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "progress.h"
#include "say.h"
#include "words.h"

enum {
	KEY_EXITCODE = 0x100,
	KEY_FAIL_ON,
	KEY_SUPPRESSIONS,
	KEY_BASELINE,
	KEY_COLOUR,
	KEY_PREFER_WRITER,
	KEY_SOURCE_ROOT,
	KEY_XML,
	KEY_XML_FILE,
	KEY_GEN_SUPPRESSIONS,
	KEY_DEFAULT_SUPPRESSIONS,
	KEY_CLAIMS
};

static const struct argp_option rows[] = {
    {"format", 'f', "FORMAT[:FILE]", 0,
     "Format of the report, text by default; with :FILE one more report, can be given again: ", 1},
    {"report", 'r', "FILE", 0, "Where the report goes; - is stdout", 1},
    {"log-file", 0, NULL, OPTION_ALIAS, NULL, 1},
    {"log-path", 0, NULL, OPTION_ALIAS, NULL, 1},
    {"exitcode", KEY_EXITCODE, "N", 0, "Exit status when there are findings at or above --fail-on (66)", 1},
    {"error-exitcode", 0, NULL, OPTION_ALIAS, NULL, 1},
    {"fail-on", KEY_FAIL_ON, "LEVEL", 0, "error, warning (default), note or never", 1},
    {"suppressions", KEY_SUPPRESSIONS, "FILE", 0,
     "Findings to leave out, as ThreadSanitizer, Valgrind or libdetect write them; can be given again", 1},
    {"default-suppressions", KEY_DEFAULT_SUPPRESSIONS, "yes|no", 0,
     "Leave out what well-known libraries do that is benign (yes)", 1},
    {"gen-suppressions", KEY_GEN_SUPPRESSIONS, "FILE", OPTION_ARG_OPTIONAL,
     "Print a suppression for each new finding behind the report, or to FILE", 1},
    {"baseline", KEY_BASELINE, "FILE", 0, "JSON report of an earlier run: only new findings count", 1},
    {"prefer-writer", KEY_PREFER_WRITER, NULL, 0,
     "Take every rwlock as one where a waiting writer holds back new readers", 1},
    {"source-root", KEY_SOURCE_ROOT, "DIR", 0,
     "Print paths below DIR relative to it; the formats for CI do so with the checkout around this folder",
     1},
    {"strip-path-prefix", 0, NULL, OPTION_ALIAS, NULL, 1},
    {"fullpath-after", 0, NULL, OPTION_ALIAS, NULL, 1},
    {"claims", KEY_CLAIMS, "LOG", 0,
     "What threads may come to need, by the log or folder of an earlier run, for unsafe states (with run --avoid: to avoid "
     "them); can be given again", 1},
    {"verbose", 'v', NULL, 0, "Also what was filtered, and why; what is known; unused suppressions", 1},
    {"quiet", 'q', NULL, 0, "No summary line when there is no finding", 1},
    {"color", KEY_COLOUR, "WHEN", OPTION_ARG_OPTIONAL, "Colour in text: auto (default), always, never", 1},
    {"xml", KEY_XML, "yes|no", OPTION_ARG_OPTIONAL, "As --format=valgrind", 1},
    {"xml-file", KEY_XML_FILE, "FILE", 0, "As --format=valgrind --report=FILE", 1},
    {0},
};

unsigned long options_number(const char *option, const char *text, unsigned long least, unsigned long most)
{
	char *end;

	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value < least || value > most)
		say_usage("%s: '%s' is no number from %lu to %lu", option, text, least, most);
	return value;
}

/* "a, b, c"; to be freed. */
static char *list_words(const char *before, const char *const *words)
{
	char *list = must_printf("%s", before);

	for (size_t i = 0; words[i]; i++) {
		char *longer = must_printf("%s%s%s", list, i ? ", " : "", words[i]);
		free(list);
		list = longer;
	}
	return list;
}

size_t options_word(const char *option, const char *text, const char *const *words)
{
	static char *list; /* lives to the end, which is near */

	for (size_t i = 0; words[i]; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	list = list_words("", words);
	say_usage("%s: '%s' is none of: %s", option, text, list);
}

bool options_yes_no(const char *option, const char *text)
{
	static const char *const words[] = {"no", "yes", "0", "1", "false", "true", NULL};

	return options_word(option, text, words) % 2;
}

#define FORMATS_MAX 16

static void format_names(const char *names[FORMATS_MAX + 1])
{
	size_t i;

	for (i = 0; i < FORMATS_MAX && emit_nth(i); i++)
		names[i] = emit_nth(i)->name;
	names[i] = NULL;
}

static const struct emitter *find_format(const char *name)
{
	const char *names[FORMATS_MAX + 1];

	format_names(names);
	return emit_nth(options_word("--format", name, names));
}

/* FORMAT of the main report, or FORMAT:FILE of one more. */
static void take_format(struct report_options *options, const char *value)
{
	const char *colon = strchr(value, ':');

	if (!colon) {
		options->emitter = find_format(value);
		return;
	}
	char *name = must_printf("%.*s", (int)(colon - value), value);
	if (!colon[1])
		say_usage("--format: '%s' names no file", value);
	outputs_add(&options->outputs, find_format(name), colon + 1);
	free(name);
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	static const char *const levels[] = {[FAIL_ON_NOTE] = "note",
	                                     [FAIL_ON_WARNING] = "warning",
	                                     [FAIL_ON_ERROR] = "error",
	                                     [FAIL_NEVER] = "never",
	                                     NULL};
	static const char *const colours[] = {"auto", "always", "never", NULL};
	struct report_options *options = state->input;
	char *why = NULL;

	switch (key) {
	case 'f':
		take_format(options, value);
		return 0;
	case KEY_XML:
		options->emitter = !value || options_yes_no("--xml", value) ? &emit_valgrind : &emit_text;
		return 0;
	case KEY_XML_FILE:
		options->emitter = &emit_valgrind;
		options->report_path = value;
		return 0;
	case 'r':
		options->report_path = value;
		return 0;
	case KEY_EXITCODE:
		options->exitcode = (int)options_number("--exitcode", value, 0, 255);
		options->exitcode_given = true;
		return 0;
	case KEY_FAIL_ON:
		options->fail_on = (enum fail_on)options_word("--fail-on", value, levels);
		return 0;
	case KEY_SUPPRESSIONS:
		why = suppress_load(options->suppressions, value);
		break;
	case KEY_DEFAULT_SUPPRESSIONS:
		options->no_default_suppressions = !options_yes_no("--default-suppressions", value);
		return 0;
	case KEY_GEN_SUPPRESSIONS:
		options->gen_suppressions = value ? value : "all";
		return 0;
	case KEY_CLAIMS:
		why = logs_add(&options->claims, value);
		if (why)
			say_usage("--claims: %s", why);
		return 0;
	case KEY_BASELINE:
		if (!options->baseline)
			options->baseline = baseline_open();
		why = baseline_load(options->baseline, value);
		break;
	case KEY_COLOUR:
		options->colour = value ? colours[options_word("--color", value, colours)] : "always";
		return 0;
	case KEY_SOURCE_ROOT:
		options->source_root = value;
		return 0;
	case KEY_PREFER_WRITER:
		options->prefer_writer = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (why)
		say_usage("%s", why);
	return 0;
}

/* The list of formats comes from their table; argp frees it. */
static char *help_filter(int key, const char *text, void *input)
{
	const char *names[FORMATS_MAX + 1];

	(void)input;
	if (key != 'f')
		return (char *)(uintptr_t)text;
	format_names(names);
	return list_words(text, names);
}

const struct argp report_options_argp = {.options = rows, .parser = parse, .help_filter = help_filter};

void options_init(struct report_options *options)
{
	*options = (struct report_options){
	    .emitter = &emit_text,
	    .exitcode = STATUS_FINDINGS,
	    .fail_on = FAIL_ON_WARNING,
	    .colour = "auto",
	    .suppressions = suppress_open(),
	};
	logs_open(&options->claims);
}

void options_close(struct report_options *options)
{
	outputs_close(&options->outputs);
	logs_close(&options->claims);
	suppress_close(options->suppressions);
	baseline_close(options->baseline);
}

/* The root parser: before all others, turn argp's second line off. */
struct parse_input {
	void *input;
	FILE *swallow;
};

static error_t parse_root(int key, char *value, struct argp_state *state)
{
	struct parse_input *input = state->input;

	(void)value;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = input->input;
	state->err_stream = input->swallow;
	return 0;
}

void options_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
	const struct argp_child children[] = {{.argp = argp}, {0}};
	const struct argp root = {.parser = parse_root, .children = children};
	struct parse_input root_input = {.input = input,
	                                 .swallow = fopencookie(NULL, "w", (cookie_io_functions_t){0})};

	if (!root_input.swallow)
		say_out_of_memory();
	error_t err = argp_parse(&root, argc, argv, flags, NULL, &root_input);
	fclose(root_input.swallow);
	if (err)
		say_usage("%s", strerror(err));
}

/* Valgrind's yes and all: behind the report. */
static void open_suppressions(struct report_options *options)
{
	const char *value = options->gen_suppressions;

	if (!value || strcmp(value, "yes") == 0 || strcmp(value, "all") == 0)
		return;
	if (strcmp(value, "no") == 0) {
		options->gen_suppressions = NULL;
		return;
	}
	options->suppressions_file = fopen(value, "we");
	if (!options->suppressions_file)
		say_usage("--gen-suppressions: %s: %s", value, strerror(errno));
}

bool options_want_graph(const struct report_options *options)
{
	bool wanted = options->emitter->wants_graph;

	for (size_t i = 0; i < options->outputs.count; i++)
		wanted |= options->outputs.list[i].emitter->wants_graph;
	return wanted;
}

void options_open_report(struct report_options *options, FILE *usual)
{
	const char *path = options->report_path;

	options->report_file = usual;
	if (!options->no_default_suppressions)
		suppress_load_default(options->suppressions);
	open_suppressions(options);
	if (path)
		options->report_file = outputs_open_file(path);
	if (!options->report_file)
		say_usage("--report: %s: %s", path, strerror(errno));
	char *why = outputs_open(&options->outputs, options->report_file);
	if (why)
		say_usage("%s", why);
}

void options_open_progress(const struct report_options *options)
{
	if (!options->quiet)
		progress_open();
}

static bool wants_colour(const struct report_options *options)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (strcmp(options->colour, "auto"))
		return strcmp(options->colour, "always") == 0;
	return !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0) &&
	       isatty(fileno(options->report_file));
}

void options_say_notices(const struct report_options *options, const struct report *report)
{
	FILE *out = options->report_file;

	if (options->emitter == &emit_text && (out == stderr || isatty(fileno(out))))
		return;
	for (size_t i = 0; i < report->notice_count; i++)
		say("%s", report->notices[i]);
}

/* For scripts, whatever the format: its last line, or one on stderr. Not of a clean run, whose stderr
 * is the program's. */
static void say_summary(const struct report_options *options, const struct report *report)
{
	const struct report_summary *summary = &report->summary;
	struct arena *arena;

	if (options->quiet || !(summary->levels[DT_LEVEL_ERROR] || summary->levels[DT_LEVEL_WARNING] ||
	                        summary->levels[DT_LEVEL_NOTE] || options->verbose))
		return;
	arena = arena_new();
	fprintf(stderr, "%s\n", words_summary(arena, report));
	arena_free(arena);
}

/* In text behind the findings; of a format that is one document, on stderr. */
static bool print_suppressions(struct report_options *options, const struct report *report)
{
	FILE *out = options->suppressions_file;

	if (!options->gen_suppressions)
		return true;
	if (!out)
		out = options->emitter == &emit_text ? options->report_file : stderr;
	for (size_t i = 0; i < report->finding_count; i++) {
		const struct report_finding *finding = &report->findings[i];
		if (!finding->filtered && !finding->suppressed && !finding->known)
			suppress_print(out, finding);
	}
	if (!options->suppressions_file || fclose(out) == 0)
		return true;
	say("--gen-suppressions: %s: %s", options->gen_suppressions, strerror(errno));
	return false;
}

bool options_emit(struct report_options *options, const struct report *report)
{
	FILE *out = options->report_file;
	struct emit emit = {
	    .out = out,
	    .report = report,
	    .colour = wants_colour(options),
	    .source = source_open(options->source_root),
	    .relative = options->source_root != NULL,
	    .fail_on = (int)options->fail_on,
	    .verbose = options->verbose,
	    .quiet = options->quiet,
	};
	bool is_standard = out == stdout || out == stderr;

	if (!outputs_empty_file(out)) {
		say("--report: %s: %s", options->report_path, strerror(errno));
		source_close(emit.source);
		return false;
	}
	if (isatty(fileno(out)))
		progress_close();
	bool written = emit_report(options->emitter, &emit);
	bool printed = print_suppressions(options, report);
	bool more_written = outputs_write(&options->outputs, &emit);
	progress_close();
	source_close(emit.source);
	if (!is_standard && fclose(out) != 0)
		written = false;
	if (written && !options->emitter->has_summary && out != stderr)
		say_summary(options, report);
	if (!written)
		say("the report could not be written to %s: %s",
		    is_standard ? "its stream" : options->report_path, strerror(errno));
	return written && printed && more_written;
}

int options_status(const struct report_options *options, const struct report *report, int otherwise)
{
	for (int level = DT_LEVEL_ERROR; level >= (int)options->fail_on; level--)
		if (report->summary.levels[level])
			return options->exitcode;
	return otherwise;
}
