/* detect confirm: steer runs of the program until a predicted lock-order cycle really closes. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "confirm.h"
#include "merged.h"
#include "options.h"
#include "outputs.h"
#include "say.h"
#include "steer.h"

enum { KEY_FINDING = 0x100, KEY_ATTEMPTS, KEY_ATTEMPT_TIMEOUT };
enum { ATTEMPTS_MAX = 1000000, TIMEOUT_MAX_S = 1000000, STATUS_NOT_CONFIRMED = 1 };

static const struct argp_option rows[] = {
    {"finding", KEY_FINDING, "FINGERPRINT", 0,
     "Only this finding; its first digits are enough; can be given again (every lock-order cycle that is no "
     "note)",
     0},
    {"attempts", KEY_ATTEMPTS, "N", 0, "Runs of PROGRAM for each finding, at most (20)", 0},
    {"attempt-timeout", KEY_ATTEMPT_TIMEOUT, "SECONDS", 0, "End a run that lasts longer (60)", 0},
    {"format", 'f', "FORMAT", 0, "text (default) or json", 0},
    {"report", 'r', "FILE", 0, "Where the result goes (stderr); - is stdout", 0},
    {"quiet", 'q', NULL, 0, "Discard what PROGRAM writes to stdout and stderr", 0},
    {0},
};

struct confirm_arguments {
	const char *log, *report_path;
	const char **fingerprints;
	size_t fingerprint_count;
	struct confirm_settings settings;
	bool json;
	struct log_set logs;
	struct store *store;
};

static error_t parse_argument(struct confirm_arguments *arguments, char *value, struct argp_state *state)
{
	if (!arguments->log) {
		arguments->log = value;
		return 0;
	}
	arguments->settings.argv = &state->argv[state->next - 1];
	state->next = state->argc;
	return 0;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	static const char *const formats[] = {"text", "json", NULL};
	struct confirm_arguments *arguments = state->input;

	switch (key) {
	case KEY_FINDING:
		arguments->fingerprints =
		    must_realloc(arguments->fingerprints, arguments->fingerprint_count + 1,
		                 sizeof(*arguments->fingerprints));
		arguments->fingerprints[arguments->fingerprint_count++] = value;
		return 0;
	case KEY_ATTEMPTS:
		arguments->settings.attempts = (unsigned)options_number("--attempts", value, 1, ATTEMPTS_MAX);
		return 0;
	case KEY_ATTEMPT_TIMEOUT:
		arguments->settings.limit_ns =
		    options_number("--attempt-timeout", value, 1, TIMEOUT_MAX_S) * 1000000000ull;
		return 0;
	case 'f':
		arguments->json = options_word("--format", value, formats) == 1;
		return 0;
	case 'r':
		arguments->report_path = value;
		return 0;
	case 'q':
		arguments->settings.discard = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(arguments, value, state);
	case ARGP_KEY_END:
		if (!arguments->log)
			say_usage("which LOG? See 'detect confirm --help'");
		if (!arguments->settings.argv)
			say_usage("which PROGRAM? See 'detect confirm --help'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The findings of the LOG, as detect report finds them. */
static const struct report *read_findings(struct confirm_arguments *arguments, struct report_builder *builder)
{
	char *why = store_is_place(arguments->log) ? store_open(&arguments->store, arguments->log, false)
	                                           : logs_add(&arguments->logs, arguments->log);

	if (!why && arguments->store)
		why = merged_report(builder, arguments->store);
	if (why)
		say_usage("%s", why);
	return report_of_logs(builder, &arguments->logs, NULL, NULL);
}

static bool is_candidate(const struct report_finding *finding)
{
	return finding->rule->id == DT_RULE_LOCK_ORDER_CYCLE && !finding->filtered;
}

static struct confirm_target *add_target(struct confirm_target *targets, size_t *count,
                                         const struct report_finding *finding)
{
	for (size_t i = 0; i < *count; i++)
		if (targets[i].finding == finding)
			return targets;
	targets = must_realloc(targets, *count + 1, sizeof(*targets));
	targets[(*count)++] = (struct confirm_target){.finding = finding, .why_not = steer_why_not(finding)};
	return targets;
}

/* The one finding whose fingerprint begins so. */
static const struct report_finding *find(const struct report *report, const char *fingerprint,
                                         const char *log)
{
	const struct report_finding *found = NULL;

	for (size_t i = 0; i < report->finding_count; i++) {
		const struct report_finding *finding = &report->findings[i];
		if (finding->filtered || strncmp(finding->fingerprint, fingerprint, strlen(fingerprint)) != 0)
			continue;
		if (found && strcmp(found->fingerprint, finding->fingerprint) != 0)
			say_usage("--finding: more than one fingerprint begins with '%s'", fingerprint);
		found = finding;
	}
	if (!found || !*fingerprint)
		say_usage("--finding: %s has no finding '%s'; 'detect report %s' lists them", log,
		          fingerprint, log);
	if (!is_candidate(found))
		say_usage("--finding: '%s' is a %s; only a lock-order-cycle can be confirmed", fingerprint,
		          found->rule->name);
	return found;
}

static struct confirm_target *choose(const struct confirm_arguments *arguments, const struct report *report,
                                     size_t *count)
{
	struct confirm_target *targets = NULL;

	*count = 0;
	for (size_t i = 0; i < arguments->fingerprint_count; i++)
		targets =
		    add_target(targets, count, find(report, arguments->fingerprints[i], arguments->log));
	for (size_t i = 0; !arguments->fingerprint_count && i < report->finding_count; i++)
		if (is_candidate(&report->findings[i]) && report->findings[i].level > DT_LEVEL_NOTE)
			targets = add_target(targets, count, &report->findings[i]);
	if (!*count)
		say_usage("%s: nothing to confirm: it has no lock-order-cycle that is more than a note",
		          arguments->log);
	return targets;
}

static FILE *open_report(const char *path)
{
	FILE *file = path ? outputs_open_file(path) : stderr;

	if (!file)
		say_usage("--report: %s: %s", path, strerror(errno));
	if (!outputs_empty_file(file))
		say_usage("--report: %s: %s", path, strerror(errno));
	return file;
}

static bool print(const struct confirm_arguments *arguments, FILE *out, const struct report *asked,
                  const struct confirm_target *targets, size_t count)
{
	if (arguments->json)
		confirm_print_json(out, asked, targets, count);
	else
		confirm_print_text(out, asked, targets, count);
	bool written = fflush(out) == 0 && !ferror(out);
	if (out != stderr && out != stdout && fclose(out) != 0)
		written = false;
	if (!written)
		say("the result could not be written: %s", strerror(errno));
	return written;
}

static int status_of(const struct confirm_target *targets, size_t count, int interrupt)
{
	if (interrupt)
		return 128 + interrupt;
	for (size_t i = 0; i < count; i++)
		if (!targets[i].confirmed)
			return STATUS_NOT_CONFIRMED;
	return STATUS_OK;
}

static int confirm(struct confirm_arguments *arguments)
{
	const struct report_settings settings = {0};
	FILE *out = open_report(arguments->report_path);
	struct report_builder *builder = report_open(&settings);
	const struct report *asked = read_findings(arguments, builder);
	size_t count;
	struct confirm_target *targets = choose(arguments, asked, &count);

	int interrupt = confirm_run(&arguments->settings, targets, count);
	int status = status_of(targets, count, interrupt);
	if (!print(arguments, out, asked, targets, count))
		status = STATUS_USAGE;
	confirm_close(targets, count);
	free(targets);
	report_close(builder);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "LOG -- PROGRAM [ARG...]",
	    .doc =
	        "Run PROGRAM again and again, and hold its threads back where they are about to make the "
	        "edges of a "
	        "lock-order cycle that LOG predicts, until the cycle really closes. Options stand before "
	        "PROGRAM."
	        "\vThe program is the one of LOG, not built anew since. A run ends at a deadlock, with all "
	        "processes that it started, or after --attempt-timeout; its input is read from where it "
	        "stands, "
	        "again for each run if it is a file. Only a deadlock that was seen to close, of the "
	        "predicted "
	        "locks at the predicted places, counts as confirmed.\n\n"
	        "Exit status: 0 when all findings that were asked for are confirmed; 1 when one was not "
	        "reproduced "
	        "in so many attempts, which does not show that it can't happen; 2 when there is nothing to "
	        "confirm "
	        "or the usage is wrong; 126, 127 when PROGRAM can't be run or is not found.",
	};
	struct confirm_arguments arguments = {.settings = {.attempts = 20, .limit_ns = 60 * 1000000000ull}};
	struct program program;

	logs_open(&arguments.logs);
	options_parse(&argp, argc, argv, ARGP_IN_ORDER, &arguments);
	program_find(&program, arguments.settings.argv[0]);
	arguments.settings.program = &program;
	int status = program.status;
	if (status)
		say("%s", program.why);
	else
		status = confirm(&arguments);
	program_close(&program);
	logs_close(&arguments.logs);
	store_close(arguments.store);
	free(arguments.fingerprints);
	return status;
}

const struct command cmd_confirm = {
    .name = "confirm",
    .summary = "steer runs of a program until a predicted deadlock really closes",
    .run = run,
};
