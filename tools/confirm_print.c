/* The deadlock is printed as any report prints one; around it is what was asked, and how often it was tried.
 */
#include "confirm.h"

#include <stdlib.h>

#include "emit.h"
#include "json.h"
#include "safe.h"
#include "source.h"

static size_t count_confirmed(const struct confirm_target *targets, size_t count)
{
	size_t confirmed = 0;

	for (size_t i = 0; i < count; i++)
		confirmed += targets[i].confirmed;
	return confirmed;
}

static const char *plural(unsigned count)
{
	return count == 1 ? "" : "s";
}

static void print_deadlock(FILE *out, const struct confirm_target *target)
{
	const struct emit emit = {.out = out, .report = target->report, .source = source_open(NULL)};
	char *text = emit_finding_text(&emit, target->deadlock);

	fputs(text, out);
	free(text);
	source_close(emit.source);
}

static void print_failure(FILE *out, const struct confirm_target *target)
{
	if (target->why_not)
		fprintf(out, "not tried: %s\n", target->why_not);
	else
		fprintf(out, "not reproduced in %u attempt%s\n", target->attempts, plural(target->attempts));
	if (target->timeouts)
		fprintf(out, "  %u ended by --attempt-timeout\n", target->timeouts);
	if (target->crashes)
		fprintf(out,
		        "  the program was ended by %s in %u of them, first in attempt %u: what it does then needs "
		        "a look of its own\n",
		        dt_signal_name((uint32_t)target->crash_signal), target->crashes, target->first_crash);
	if (target->unseen)
		fputs("  the first did not even show the cycle: is this the program of the log, with its "
		      "arguments?\n",
		      out);
	if (target->others)
		fprintf(out, "  %u ended in another deadlock than this one\n", target->others);
}

void confirm_print_text(FILE *out, const struct report *asked, const struct confirm_target *targets,
                        size_t count)
{
	(void)asked;
	for (size_t i = 0; i < count; i++) {
		const struct confirm_target *target = &targets[i];

		fprintf(out, "%s ", target->finding->rule->name);
		safe_print(out, target->finding->fingerprint);
		fputs(": ", out);
		safe_print(out, target->finding->message);
		fputc('\n', out);
		if (target->confirmed) {
			if (target->by_the_way)
				fputs("confirmed: it closed in an attempt for another one\n\n", out);
			else
				fprintf(out, "confirmed: it closed in attempt %u\n\n", target->attempts);
			print_deadlock(out, target);
		} else {
			print_failure(out, target);
		}
		fputc('\n', out);
	}
	fprintf(out, "%zu of %zu confirmed\n", count_confirmed(targets, count), count);
}

static json_t *target_object(struct arena *arena, const struct report *asked,
                             const struct confirm_target *target)
{
	json_t *object = emit_json_finding(arena, asked, target->finding);

	json_put(object, "confirmed", json_boolean(target->confirmed));
	json_put(object, "attempts", json_integer(target->attempts));
	json_put(object, "timeouts", json_integer(target->timeouts));
	json_put(object, "other_deadlocks", json_integer(target->others));
	json_put(object, "crashes", json_integer(target->crashes));
	json_put(object, "unseen", json_boolean(target->unseen));
	json_put(object, "why_not", json_text(arena, target->why_not));
	json_put(object, "deadlock",
	         target->confirmed ? emit_json_finding(arena, target->report, target->deadlock)
	                           : json_null());
	return object;
}

void confirm_print_json(FILE *out, const struct report *asked, const struct confirm_target *targets,
                        size_t count)
{
	struct arena *arena = arena_new();
	json_t *root = json_object(), *tool = json_object(), *summary = json_object(),
	       *findings = json_array();
	size_t confirmed = count_confirmed(targets, count);

	for (size_t i = 0; i < count; i++)
		json_push(findings, target_object(arena, asked, &targets[i]));
	json_put(tool, "name", json_string("libdetect"));
	json_put(tool, "version", json_string(DETECT_VERSION));
	json_put(summary, "asked", json_integer((json_int_t)count));
	json_put(summary, "confirmed", json_integer((json_int_t)confirmed));
	json_put(root, "format", json_string("libdetect-confirmations"));
	json_put(root, "version", json_integer(1));
	json_put(root, "tool", tool);
	json_put(root, "summary", summary);
	json_put(root, "findings", findings);
	json_print(out, root, JSON_INDENT(2));
	fputc('\n', out);
	arena_free(arena);
}
