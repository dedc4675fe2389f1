/* detect doctor: what would stop the detector from working here, and how to mend it. */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "json.h"
#include "options.h"
#include "safe.h"
#include "say.h"

enum { STATUS_PROBLEM = 1 };

struct doctor_arguments {
	const char *output, *program;
	bool json, quiet;
};

static const char *const verdict_names[DOCTOR_VERDICTS] = {"ok", "warning", "problem"};

static error_t parse(int key, char *value, struct argp_state *state)
{
	static const char *const formats[] = {"text", "json", NULL};
	struct doctor_arguments *arguments = state->input;

	switch (key) {
	case 'f':
		arguments->json = options_word("--format", value, formats) == 1;
		return 0;
	case 'o':
		arguments->output = value;
		return 0;
	case 'q':
		arguments->quiet = true;
		return 0;
	case ARGP_KEY_ARG: /* as in `run`, what follows is its own; nothing of it matters here */
		arguments->program = value;
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void count_verdicts(const struct doctor *doctor, unsigned counts[DOCTOR_VERDICTS])
{
	memset(counts, 0, DOCTOR_VERDICTS * sizeof(*counts));
	for (size_t i = 0; i < doctor->line_count; i++)
		counts[doctor->lines[i].verdict]++;
}

static void print_text(const struct doctor *doctor, bool quiet)
{
	unsigned counts[DOCTOR_VERDICTS];

	count_verdicts(doctor, counts);
	for (size_t i = 0; i < doctor->line_count; i++) {
		const struct doctor_line *line = &doctor->lines[i];
		if (quiet && line->verdict == DOCTOR_OK)
			continue;
		printf("%-8s %-18s ", verdict_names[line->verdict], line->check);
		safe_print(stdout, line->text);
		putchar('\n');
		if (line->mend)
			printf("%-8s %-18s to mend it: %s\n", "", "", line->mend);
	}
	if (counts[DOCTOR_PROBLEM])
		printf("It would not work: %u problem%s, %u warning%s.\n", counts[DOCTOR_PROBLEM],
		       counts[DOCTOR_PROBLEM] == 1 ? "" : "s", counts[DOCTOR_WARNING],
		       counts[DOCTOR_WARNING] == 1 ? "" : "s");
	else if (!quiet)
		printf("It would work: %u warning%s.\n", counts[DOCTOR_WARNING],
		       counts[DOCTOR_WARNING] == 1 ? "" : "s");
}

static void print_json(const struct doctor *doctor)
{
	json_t *lines = json_array();
	unsigned counts[DOCTOR_VERDICTS];

	count_verdicts(doctor, counts);
	for (size_t i = 0; i < doctor->line_count; i++) {
		const struct doctor_line *line = &doctor->lines[i];
		json_t *object = json_object();
		json_put(object, "check", json_string(line->check));
		json_put(object, "verdict", json_string(verdict_names[line->verdict]));
		json_put(object, "message", json_words(doctor->arena, line->text));
		json_put(object, "mend", json_words(doctor->arena, line->mend));
		json_push(lines, object);
	}
	json_print(stdout,
	           json_pack("{s:s, s:i, s:o, s:{s:i, s:i, s:i}, s:o}", "format", "libdetect-doctor",
	                     "version", 1, "program", json_text(doctor->arena, doctor->program_name),
	                     "summary", "ok", (int)counts[DOCTOR_OK], "warning", (int)counts[DOCTOR_WARNING],
	                     "problem", (int)counts[DOCTOR_PROBLEM], "checks", lines),
	           JSON_INDENT(2));
	putchar('\n');
}

static int run(int argc, char **argv)
{
	static const struct argp_option rows[] = {
	    {"format", 'f', "FORMAT", 0, "text (default) or json", 0},
	    {"output", 'o', "DIR", 0, "Try the folder that logs would go to with 'detect run --output=DIR'",
	     0},
	    {"quiet", 'q', NULL, 0, "Only what is to be mended", 0},
	    {0},
	};
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "[PROGRAM [ARG...]]",
	    .doc =
	        "Say what would stop detect from working on this machine, and with PROGRAM, and how to mend "
	        "it. PROGRAM is not run. The exit status is 0 when it would work, 1 when it would not.",
	};
	struct doctor_arguments arguments = {0};

	options_parse(&argp, argc, argv, ARGP_IN_ORDER, &arguments);
	struct doctor doctor = {
	    .arena = arena_new(), .output = arguments.output, .program_name = arguments.program};
	doctor_run(&doctor);
	unsigned counts[DOCTOR_VERDICTS];
	count_verdicts(&doctor, counts);
	if (arguments.json)
		print_json(&doctor);
	else
		print_text(&doctor, arguments.quiet);
	doctor_close(&doctor);
	if (fflush(stdout)) {
		say("stdout: %s", strerror(errno));
		return STATUS_USAGE;
	}
	return counts[DOCTOR_PROBLEM] ? STATUS_PROBLEM : STATUS_OK;
}

const struct command cmd_doctor = {
    .name = "doctor",
    .summary = "what would stop detect from working here, and how to mend it",
    .run = run,
};
