/* JUnit XML: each finding is a test case that failed, so that a CI system lists, counts and follows it
 * as it does tests. The strictest schema in use (Ant's) and the laxer ones of Jenkins and GitLab are
 * both served: every attribute that one of them asks for is there.
 *
 * A finding that does not fail the run (known, or below --fail-on) is a skipped case: seen, but not
 * red. A program without a failing finding has one case that passed, since an empty report looks to
 * CI systems like a job that broke. */
#include "emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "advice.h"
#include "arena.h"
#include "words.h"
#include "xml.h"

struct program {
	const char *name; /* key */
	bool failed;
	UT_hash_handle hh; /* in order of start */
};

struct junit_state {
	struct arena *arena; /* of one finding */
	struct arena *names; /* of the programs */
	struct program *programs;
	size_t tests, failures, skipped;
};

static void count_programs(const struct report *report, struct junit_state *state)
{
	struct program *program;

	for (size_t i = 0; i < report->process_count; i++) {
		const char *name = report->processes[i].program;

		HASH_FIND_STR(state->programs, name, program);
		if (program)
			continue;
		program = arena_alloc(state->names, sizeof(*program));
		program->name = name;
		HASH_ADD_KEYPTR(hh, state->programs, program->name, strlen(program->name), program);
	}
}

static void count_tests(const struct emit *emit, struct junit_state *state)
{
	const struct report *report = emit->report;
	struct program *program;

	for (size_t i = 0; i < report->finding_count; i++) {
		const struct report_finding *finding = &report->findings[i];

		if (finding->filtered || finding->suppressed)
			continue;
		state->tests++;
		state->skipped += !emit_fails(emit, finding);
		if (!emit_fails(emit, finding))
			continue;
		state->failures++;
		HASH_FIND_STR(state->programs, report->processes[finding->process].program, program);
		program->failed = true;
	}
	for (program = state->programs; program; program = program->hh.next)
		state->tests += !program->failed;
}

/* When the first process started: the schema has no time zone, CI systems take it for UTC. */
static void print_timestamp(const struct emit *emit)
{
	const struct report *report = emit->report;
	time_t seconds = 0;
	struct tm tm;
	char text[32];

	if (report->process_count && report->processes[0].start_ns / 1000000000u < (uint64_t)1 << 36)
		seconds = (time_t)(report->processes[0].start_ns / 1000000000u);
	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		fprintf(emit->out, " timestamp=\"%s\"", text);
}

static void print_property(const struct emit *emit, const char *name, const char *value)
{
	struct junit_state *state = emit->state;

	fputs("      <property", emit->out);
	xml_attribute(emit->out, state->arena, "name", name);
	xml_attribute(emit->out, state->arena, "value", value);
	fputs("/>\n", emit->out);
}

static void begin(struct emit *emit)
{
	struct junit_state *state = must_realloc(NULL, 1, sizeof(*state));

	*state = (struct junit_state){.arena = arena_new(), .names = arena_new()};
	emit->state = state;
	count_programs(emit->report, state);
	count_tests(emit, state);
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	      "  <testsuite name=\"libdetect\" package=\"libdetect\" id=\"0\" hostname=\"localhost\"",
	      emit->out);
	print_timestamp(emit);
	fprintf(emit->out, " time=\"0\" tests=\"%zu\" failures=\"%zu\" errors=\"0\"", state->tests,
	        state->failures);
	if (state->skipped)
		fprintf(emit->out, " skipped=\"%zu\"", state->skipped);
	fputs(">\n    <properties>\n", emit->out);
	print_property(emit, "libdetect.version", DETECT_VERSION);
	fputs("    </properties>\n", emit->out);
}

static void print_case(const struct emit *emit, const char *program, const char *name)
{
	struct junit_state *state = emit->state;

	fputs("    <testcase", emit->out);
	xml_attribute(emit->out, state->arena, "classname", *program ? program : "program");
	xml_attribute(emit->out, state->arena, "name", name);
	fputs(" time=\"0\"", emit->out);
}

/* Stable from run to run, as the history of a test needs, and one for each finding. */
static const char *case_name(struct arena *arena, const struct report_finding *found)
{
	return arena_printf(arena, "%s%s%s (%.8s)", found->rule->name, found->cycle_lock_count ? ": " : "",
	                    advice_locks(arena, found), found->fingerprint);
}

static void print_failure(const struct emit *emit, const struct report_finding *found)
{
	struct junit_state *state = emit->state;
	char *text = emit_finding_text(emit, found);

	fputs("      <failure", emit->out);
	xml_attribute(emit->out, state->arena, "type", found->rule->name);
	xml_attribute(emit->out, state->arena, "message", found->message);
	fputc('>', emit->out);
	xml_lines(emit->out, text);
	fputs("</failure>\n", emit->out);
	free(text);
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct junit_state *state = emit->state;

	if (found->filtered)
		return;
	print_case(emit, emit->report->processes[found->process].program, case_name(state->arena, found));
	fputs(">\n", emit->out);
	if (emit_fails(emit, found)) {
		print_failure(emit, found);
	} else {
		fprintf(emit->out, "      <skipped>%s: ",
		        found->known ? "known, it is in the baseline" : model_level_name(found->level));
		xml_text(emit->out, state->arena, found->message);
		fputs("</skipped>\n", emit->out);
	}
	fputs("    </testcase>\n", emit->out);
	arena_clear(state->arena);
}

static void print_lines(const struct emit *emit, const char *const *lines, size_t count)
{
	struct junit_state *state = emit->state;

	for (size_t i = 0; i < count; i++) {
		xml_text(emit->out, state->arena, lines[i]);
		fputc('\n', emit->out);
	}
}

static void end(struct emit *emit)
{
	struct junit_state *state = emit->state;
	const struct report *report = emit->report;

	for (struct program *program = state->programs; program; program = program->hh.next) {
		if (program->failed)
			continue;
		print_case(emit, program->name, "no findings");
		fputs("/>\n", emit->out);
	}
	fputs("    <system-out>", emit->out);
	xml_text(emit->out, state->arena, words_summary(state->arena, report));
	fputs("</system-out>\n    <system-err>", emit->out);
	print_lines(emit, report->notices, report->notice_count);
	fputs("</system-err>\n  </testsuite>\n</testsuites>\n", emit->out);
	HASH_CLEAR(hh, state->programs);
	arena_free(state->arena);
	arena_free(state->names);
	free(state);
	emit->state = NULL;
}

const struct emitter emit_junit = {
    .name = "junit",
    .summary = "JUnit XML: each finding is a test that failed",
    .begin = begin,
    .finding = finding,
    .end = end,
};
