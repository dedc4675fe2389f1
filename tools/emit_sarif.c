/* SARIF 2.1.0, as GitHub's code scanning takes it and as the standard's viewers read it.
 *
 * One run; one result a finding, shown at its main event. codeFlows has one threadFlow a thread,
 * relatedLocations the other events, stacks every frame. Results are printed one by one, worst
 * first, so memory does not grow with their number.
 *
 * GitHub refuses a file of more than 25,000 results in a run or of more than 10 MB under gzip. What is
 * printed is therefore also compressed, into nothing, and counted: past 6 MB results come without
 * flows and stacks, past 9 MB or 25,000 they end, and a notification says how many are left out. */
#include "emit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "arena.h"
#include "json.h"
#include "sarif.h"
#include "say.h"
#include "words.h"

#define RESULTS_MAX 25000u
#define WHOLE_BYTES ((size_t)6 * 1000 * 1000)
#define FILE_BYTES ((size_t)9 * 1000 * 1000)

struct sarif_state {
	struct arena *arena; /* of one finding */
	z_stream gzip;
	size_t results, lean, left_out;
	bool all_known_told; /* some finding is in a baseline, so every result says whether it is */
};

/* Print, and count what it takes when compressed; the count lags behind by what zlib has buffered,
 * which the distance to GitHub's limit covers. */
static void print_counted(const struct emit *emit, const char *text)
{
	struct sarif_state *state = emit->state;
	unsigned char nowhere[4096];

	fputs(text, emit->out);
	state->gzip.next_in = (unsigned char *)(uintptr_t)text;
	state->gzip.avail_in = (uInt)strlen(text);
	do {
		state->gzip.next_out = nowhere;
		state->gzip.avail_out = sizeof(nowhere);
		deflate(&state->gzip, Z_NO_FLUSH);
	} while (state->gzip.avail_in || !state->gzip.avail_out);
}

static void print_json(const struct emit *emit, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	if (!text)
		say_out_of_memory();
	print_counted(emit, text);
	free(text);
	json_decref(value);
}

static json_t *tool_object(struct arena *arena)
{
	json_t *tool = json_object(), *driver = json_object(), *rules = json_array();

	for (size_t i = 0; i < DT_RULES; i++)
		json_push(rules, sarif_rule(arena, &dt_rules[i]));
	json_put(driver, "name", json_string("libdetect"));
	json_put(driver, "version", json_string(DETECT_VERSION));
	json_put(driver, "semanticVersion", json_string(DETECT_VERSION));
	json_put(driver, "rules", rules);
	json_put(tool, "driver", driver);
	return tool;
}

static void begin(struct emit *emit)
{
	struct sarif_state *state = must_realloc(NULL, 1, sizeof(*state));

	*state =
	    (struct sarif_state){.arena = arena_new(), .all_known_told = emit->report->summary.known > 0};
	emit->state = state;
	if (deflateInit(&state->gzip, Z_BEST_SPEED) != Z_OK)
		say_out_of_memory();
	print_counted(emit, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\n"
	                    "\"version\":\"2.1.0\",\"runs\":[{\n\"tool\":");
	print_json(emit, tool_object(state->arena));
	print_counted(emit, ",\n\"columnKind\":\"unicodeCodePoints\",\n\"results\":[");
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct sarif_state *state = emit->state;
	bool whole = state->gzip.total_out < WHOLE_BYTES;

	if (found->filtered)
		return;
	if (state->results == RESULTS_MAX || state->gzip.total_out > FILE_BYTES) {
		state->left_out++;
		return;
	}
	json_t *result = sarif_result(state->arena, emit, found, whole);
	if (state->all_known_told)
		json_put(result, "baselineState", json_string(found->known ? "unchanged" : "new"));
	print_counted(emit, state->results++ ? ",\n" : "\n");
	print_json(emit, result);
	state->lean += !whole;
	arena_clear(state->arena);
}

static json_t *notification(struct arena *arena, const char *text)
{
	json_t *object = json_object(), *message = json_object();

	json_put(message, "text", json_words(arena, text));
	json_put(object, "level", json_string("warning"));
	json_put(object, "message", message);
	return object;
}

static json_t *invocations(const struct emit *emit)
{
	struct sarif_state *state = emit->state;
	const struct report *report = emit->report;
	json_t *array = json_array(), *invocation = json_object(), *told = json_array();

	for (size_t i = 0; i < report->notice_count; i++)
		json_push(told, notification(state->arena, report->notices[i]));
	if (state->lean)
		json_push(told,
		          notification(state->arena,
		                       arena_printf(state->arena,
		                                    "%zu results have no stacks and flows: the file would "
		                                    "be too large for GitHub",
		                                    state->lean)));
	if (state->left_out)
		json_push(told,
		          notification(state->arena,
		                       arena_printf(state->arena,
		                                    "%zu findings are left out: the file would be too large "
		                                    "for GitHub; --format=json has all",
		                                    state->left_out)));
	json_put(invocation, "executionSuccessful", json_true());
	json_put(invocation, "toolExecutionNotifications", told);
	json_push(array, invocation);
	return array;
}

static void end(struct emit *emit)
{
	struct sarif_state *state = emit->state;

	print_counted(emit, "],\n\"invocations\":");
	print_json(emit, invocations(emit));
	print_counted(emit, "\n}]}\n");
	if (state->left_out)
		say("SARIF: %zu findings are left out, since GitHub takes no larger file; --format=json has "
		    "all",
		    state->left_out);
	deflateEnd(&state->gzip);
	arena_free(state->arena);
	free(state);
	emit->state = NULL;
}

const struct emitter emit_sarif = {
    .name = "sarif",
    .summary = "SARIF 2.1.0, for GitHub's code scanning and editors",
    .begin = begin,
    .finding = finding,
    .end = end,
};
