/* detect diff: what came and what went between two JSON reports.
 *
 * The older report is the baseline; the newer one's findings are looked up in it one by one, so that
 * neither has to fit in memory as a tree. */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings_file.h"
#include "json.h"
#include "options.h"
#include "safe.h"
#include "say.h"

enum { KEY_EXITCODE = 0x100, KEY_FAIL_ON };

static const char *const levels[] = {
    [FAIL_ON_NOTE] = "note",
    [FAIL_ON_WARNING] = "warning",
    [FAIL_ON_ERROR] = "error",
    [FAIL_NEVER] = "never",
    NULL,
};

struct diff {
	const char *paths[2];
	size_t path_count;
	enum fail_on fail_on;
	int exitcode;
	bool json, quiet;
	struct arena *arena;
	struct baseline *older, *added; /* added: what is new */
	size_t new_count;
	bool fails;
};

static const struct argp_option rows[] = {
    {"format", 'f', "FORMAT", 0, "text (default) or json", 1},
    {"exitcode", KEY_EXITCODE, "N", 0, "Exit status when there is a new finding at or above --fail-on (66)",
     1},
    {"fail-on", KEY_FAIL_ON, "LEVEL", 0, "error, warning (default), note or never", 1},
    {"quiet", 'q', NULL, 0, "The summary only", 1},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	static const char *const formats[] = {"text", "json", NULL};
	struct diff *diff = state->input;

	switch (key) {
	case 'f':
		diff->json = options_word("--format", value, formats) == 1;
		return 0;
	case KEY_EXITCODE:
		diff->exitcode = (int)options_number("--exitcode", value, 0, 255);
		return 0;
	case KEY_FAIL_ON:
		diff->fail_on = (enum fail_on)options_word("--fail-on", value, levels);
		return 0;
	case 'q':
		diff->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (diff->path_count == 2)
			say_usage("two reports are compared; '%s' is one too many", value);
		diff->paths[diff->path_count++] = value;
		return 0;
	case ARGP_KEY_END:
		if (diff->path_count < 2)
			say_usage("which two reports? See 'detect diff --help'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_line(const char *mark, const struct report_gone *finding)
{
	fputs(mark, stdout);
	safe_print(stdout, finding->level);
	fputs(": ", stdout);
	safe_print(stdout, finding->message);
	fputs(" [", stdout);
	safe_print(stdout, finding->rule);
	fputs("] ", stdout);
	safe_print(stdout, finding->fingerprint);
	putchar('\n');
}

static json_t *line_object(const struct diff *diff, const struct report_gone *finding)
{
	json_t *object = json_object();

	json_put(object, "rule", json_text(diff->arena, finding->rule));
	json_put(object, "level", json_text(diff->arena, finding->level));
	json_put(object, "fingerprint", json_text(diff->arena, finding->fingerprint));
	json_put(object, "message", json_text(diff->arena, finding->message));
	return object;
}

/* A level that is not known here is one that must not be missed. */
static enum fail_on rank(const char *level)
{
	for (size_t i = 0; i < FAIL_NEVER; i++)
		if (strcmp(level, levels[i]) == 0)
			return (enum fail_on)i;
	return FAIL_ON_ERROR;
}

static const char *member(const json_t *finding, const char *key)
{
	const char *text = json_string_value(json_object_get(finding, key));

	return text ? text : "";
}

static void compare(void *context, const char *fingerprint, const json_t *finding)
{
	struct diff *diff = context;
	const struct report_gone line = {
	    .fingerprint = fingerprint,
	    .rule = member(finding, "rule"),
	    .level = member(finding, "level"),
	    .message = member(finding, "message"),
	};

	if (baseline_meet(diff->older, fingerprint) || !baseline_add(diff->added, &line))
		return;
	diff->new_count++;
	diff->fails |= rank(line.level) >= diff->fail_on;
}

/* The findings of one side alone. */
static size_t push_lines(const struct diff *diff, json_t *array, struct baseline *side)
{
	const struct report_gone *line;
	size_t count;

	for (count = 0; (line = baseline_nth(side, count, false)); count++)
		json_push(array, line_object(diff, line));
	return count;
}

static void print_json(const struct diff *diff, size_t known)
{
	json_t *report = json_object(), *summary = json_object(), *added = json_array(),
	       *removed = json_array();

	push_lines(diff, added, diff->added);
	size_t gone = push_lines(diff, removed, diff->older);
	json_put(summary, "new", json_integer((json_int_t)diff->new_count));
	json_put(summary, "known", json_integer((json_int_t)known));
	json_put(summary, "gone", json_integer((json_int_t)gone));
	json_put(report, "format", json_string("libdetect-diff"));
	json_put(report, "version", json_integer(1));
	json_put(report, "summary", summary);
	json_put(report, "new", added);
	json_put(report, "gone", removed);
	json_print(stdout, report, JSON_INDENT(2));
	putchar('\n');
}

static size_t print_lines(const struct diff *diff, const char *mark, struct baseline *side)
{
	const struct report_gone *line;
	size_t count;

	for (count = 0; (line = baseline_nth(side, count, false)); count++)
		if (!diff->quiet)
			print_line(mark, line);
	return count;
}

static void print_text(const struct diff *diff, size_t known)
{
	print_lines(diff, "+ ", diff->added);
	size_t gone = print_lines(diff, "- ", diff->older);
	printf("SUMMARY: libdetect: %zu new, %zu known, %zu gone\n", diff->new_count, known, gone);
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "OLD.json NEW.json",
	    .doc = "Compare two JSON reports by the findings' fingerprints: + is new, - is gone.",
	};
	struct diff diff = {.fail_on = FAIL_ON_WARNING, .exitcode = STATUS_FINDINGS};
	size_t known = 0;

	options_parse(&argp, argc, argv, 0, &diff);
	diff.arena = arena_new();
	diff.older = baseline_open();
	diff.added = baseline_open();
	char *why = baseline_load(diff.older, diff.paths[0]);
	if (!why)
		why = findings_file_read(diff.paths[1], compare, &diff);
	if (why)
		say_usage("%s", why);
	while (baseline_nth(diff.older, known, true))
		known++;
	if (diff.json)
		print_json(&diff, known);
	else
		print_text(&diff, known);
	baseline_close(diff.older);
	baseline_close(diff.added);
	arena_free(diff.arena);
	if (fflush(stdout) || ferror(stdout)) {
		say("stdout: %s", strerror(errno));
		return STATUS_USAGE;
	}
	return diff.fails ? diff.exitcode : STATUS_OK;
}

const struct command cmd_diff = {
    .name = "diff",
    .summary = "what is new and what is gone between two JSON reports",
    .run = run,
};
